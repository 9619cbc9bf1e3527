//! `klab node slow`: a node whose network is narrow, late or lossy, by queueing
//! disciplines of the kernel at both ends of its cable.

use std::{os::fd::AsFd, process::Command, thread};

use nix::sched::{CloneFlags, setns};

use super::{cable::NODE_END, link::namespace_of};
use crate::{
    error::{Context, Error, Result},
    spec::NodeSpec,
};

/// How a network is slow; each way, so that a round trip takes twice the delay.
#[derive(Debug, Clone, Default)]
pub struct Slowness {
    /// As in `1mbit`.
    pub rate: Option<String>,
    /// As in `50ms`.
    pub delay: Option<String>,
    /// As in `1%`.
    pub loss: Option<String>,
}

impl Slowness {
    /// The discipline and its options, as tc-netem(8) and tc-tbf(8) have them.
    fn discipline(&self) -> Vec<&str> {
        if let (Some(rate), None, None) = (&self.rate, &self.delay, &self.loss) {
            // Every kernel's, unlike netem.
            return vec!["tbf", "rate", rate, "burst", "32kb", "latency", "200ms"];
        }
        let mut words = vec!["netem"];
        for (word, value) in [
            ("delay", &self.delay),
            ("loss", &self.loss),
            ("rate", &self.rate),
        ] {
            words.extend(value.iter().flat_map(|value| [word, value.as_str()]));
        }
        words
    }
}

/// Slows both ends of a node's cable down, whatever they were before.
///
/// # Errors
/// When the kernel has no such discipline, or a value is none.
pub fn set(node: &NodeSpec, switch_pid: i32, init_pid: i32, slowness: &Slowness) -> Result<()> {
    for (pid, link) in [(switch_pid, node.name.as_str()), (init_pid, NODE_END)] {
        let mut words = vec!["qdisc", "replace", "dev", link, "root"];
        words.extend(slowness.discipline());
        tc_at(pid, &words)?;
    }
    Ok(())
}

/// Makes both ends as fast as they are.
///
/// # Errors
/// When tc is missing or the kernel refuses.
pub fn clear(node: &NodeSpec, switch_pid: i32, init_pid: i32) -> Result<()> {
    for (pid, link) in [(switch_pid, node.name.as_str()), (init_pid, NODE_END)] {
        // What every link has that nobody has slowed down.
        tc_at(pid, &["qdisc", "replace", "dev", link, "root", "noqueue"])?;
    }
    Ok(())
}

/// Runs tc in the network namespace of a process, from a thread that goes there.
fn tc_at(pid: i32, words: &[&str]) -> Result<()> {
    let namespace = namespace_of(pid)?;
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                .system("cannot enter a network namespace")?;
            tc(words)
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn tc(words: &[&str]) -> Result<()> {
    let output = Command::new("tc").args(words).output().map_err(|error| {
        Error::Machine(format!(
            "cannot run tc: {error}; install it with: apt-get install iproute2"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it failed").trim();
    let kernel = if said.contains("qdisc kind is unknown") {
        "; the kernel lacks it: modprobe sch_netem, or use --rate alone"
    } else {
        ""
    };
    Err(Error::Machine(format!("tc: {said}{kernel}")))
}

/// Whether the kernel has what `slowness` needs, tried on the loopback of the
/// calling thread's namespace, which must be its own.
///
/// # Errors
/// What tc says when it has not.
pub(crate) fn try_out(slowness: &Slowness) -> Result<()> {
    let mut words = vec!["qdisc", "add", "dev", "lo", "root"];
    words.extend(slowness.discipline());
    tc(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_alone_needs_no_netem() {
        let mut slowness = Slowness {
            rate: Some("1mbit".to_owned()),
            ..Slowness::default()
        };
        assert_eq!(slowness.discipline()[..3], ["tbf", "rate", "1mbit"]);
        slowness.delay = Some("50ms".to_owned());
        assert_eq!(
            slowness.discipline(),
            ["netem", "delay", "50ms", "rate", "1mbit"]
        );
    }
}
