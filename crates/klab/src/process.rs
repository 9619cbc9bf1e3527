//! Which processes belong to a cluster.
//!
//! Every process klab starts carries `KLAB_MEMBER=<cluster folder>#<role>` in
//! its environment from its first instruction on, and its children inherit it.
//! The process table is therefore the only ledger: a `kill -9` at any moment
//! cannot make it wrong, as it could a file of process ids.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, SysconfVar, sysconf},
};

use crate::error::{Error, Result};

/// The environment variable that marks a process as part of a cluster.
pub const MEMBER_VARIABLE: &str = "KLAB_MEMBER";

/// A running process of a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id, in the machine's PID namespace.
    pub pid: i32,
    /// `switch` or a node's name.
    pub role: String,
    /// Its command line.
    pub command: Vec<String>,
}

impl Member {
    /// Whether this is a node's PID 1.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.command
            .get(1..3)
            .is_some_and(|words| words == ["internal", "init"])
    }
}

/// The marker for a process of the cluster in `folder` with this role.
#[must_use]
pub fn marker(folder: &Path, role: &str) -> String {
    format!("{}#{role}", folder.display())
}

/// All live processes of the cluster in `folder`. Zombies are not live.
///
/// # Errors
/// When /proc cannot be read.
pub fn members(folder: &Path) -> Result<Vec<Member>> {
    let prefix = format!("{MEMBER_VARIABLE}={}#", folder.display()).into_bytes();
    let list = fs::read_dir("/proc").map_err(|source| Error::File {
        action: "cannot list",
        path: "/proc".into(),
        source,
    })?;
    let mut found = Vec::new();
    for entry in list.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        // A process may end while we look at it: then there is nothing to read.
        let Ok(environment) = environment(&entry.path()) else {
            continue;
        };
        let Some(role) = environment
            .split(|byte| *byte == 0)
            .find_map(|variable| variable.strip_prefix(prefix.as_slice()))
        else {
            continue;
        };
        let role = String::from_utf8_lossy(role).into_owned();
        found.push(Member {
            pid,
            role,
            command: command_line(&entry.path()).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// The PID 1 of the node called `node`, if it runs.
///
/// # Errors
/// When /proc cannot be read.
pub fn node_init(folder: &Path, node: &str) -> Result<Option<Member>> {
    Ok(members(folder)?
        .into_iter()
        .find(|member| member.role == node && member.is_init()))
}

/// The switch of the cluster, if it runs.
///
/// # Errors
/// When /proc cannot be read.
pub fn switch(folder: &Path) -> Result<Option<Member>> {
    Ok(members(folder)?
        .into_iter()
        .find(|member| member.role == crate::net::SWITCH_ROLE))
}

/// How long a process has been running; nothing if it has ended.
#[must_use]
pub fn age(pid: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc(5): field 22 is the start in ticks since the machine's; the second one,
    // the program's name in parentheses, may have spaces in it.
    let started: f64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let ticks = sysconf(SysconfVar::CLK_TCK).ok()??;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = uptime.split(' ').next()?.parse().ok()?;
    Some(Duration::from_secs_f64(
        (now - started / ticks as f64).max(0.0),
    ))
}

/// A process that is just being started has neither environment nor command
/// line for a moment, unlike a kernel thread or a zombie, which has no program
/// either: asked again, so that no scan misses it.
fn environment(process: &Path) -> io::Result<Vec<u8>> {
    for _ in 0..100 {
        let environment = fs::read(process.join("environ"))?;
        let starting = environment.is_empty()
            && fs::read(process.join("cmdline"))?.is_empty()
            && fs::read_link(process.join("exe")).is_ok();
        if !starting {
            return Ok(environment);
        }
        // /proc tells of no change, and exec takes less than this.
        thread::sleep(Duration::from_millis(1));
    }
    Ok(Vec::new())
}

fn command_line(process: &Path) -> io::Result<Vec<String>> {
    let raw = fs::read(process.join("cmdline"))?;
    let words = raw
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned());
    Ok(words.collect())
}

/// Kills every process of the cluster that `chosen` picks, and waits until
/// none is left. New ones that appear meanwhile are killed too.
///
/// # Errors
/// When one is still there after ten seconds.
pub fn kill_members(folder: &Path, chosen: impl Fn(&Member) -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left: Vec<_> = members(folder)?
            .into_iter()
            .filter(|member| chosen(member))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let names: Vec<_> = left
                .iter()
                .map(|member| format!("{} ({})", member.pid, member.role))
                .collect();
            return Err(Error::State(format!(
                "these processes do not end after SIGKILL, probably blocked in the kernel: {}; \
                 see `cat /proc/PID/stack`, then run the command again",
                names.join(", ")
            )));
        }
        for member in &left {
            // Already gone is what we want.
            let _ = kill(Pid::from_raw(member.pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// This program, for starting it again in another role.
pub(crate) fn own_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("klab");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_process_is_found_killed_and_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .env(MEMBER_VARIABLE, marker(folder.path(), "agent7"))
            .spawn()
            .unwrap();
        let found = members(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].role.as_str(), found[0].is_init()),
            ("agent7", false)
        );

        assert!(age(found[0].pid).unwrap() < Duration::from_mins(1));

        // A zombie has no environment, so it is not counted even before it is reaped.
        kill_members(folder.path(), |_| true).unwrap();
        assert!(members(folder.path()).unwrap().is_empty());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn other_clusters_and_longer_names_are_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let longer = folder.path().join("demo2");
        let mut child = Command::new("sleep")
            .arg("60")
            .env(MEMBER_VARIABLE, marker(&longer, "server"))
            .spawn()
            .unwrap();
        let found = members(&folder.path().join("demo")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.is_empty());
    }
}
