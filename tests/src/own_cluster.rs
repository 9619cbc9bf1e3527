//! Clusters that a test starts, breaks and removes itself.

use std::{
    process::{Child, Command as Process, Stdio},
    time::Duration,
};

use assert_cmd::{Command, assert::Assert};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use xtask::{
    cluster::{owned_name, state_root},
    machine::{Member, members},
};

use crate::{
    tools::{tool, tool_path},
    wait::eventually,
};

/// A cluster by a name of this test's own, removed at the latest when this is dropped.
#[derive(Debug)]
pub struct OwnCluster {
    name: String,
}

impl OwnCluster {
    /// A name for a cluster that does not exist yet; `suffix` tells several apart.
    #[must_use]
    pub fn new(suffix: &str) -> Self {
        // By this name the next run finds it, should this process be killed.
        Self {
            name: owned_name(std::process::id(), suffix),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `klab --name NAME`
    #[must_use]
    pub fn klab(&self) -> Command {
        let mut klab = tool("klab");
        klab.args(["--name", &self.name]);
        klab
    }

    /// `klab up` with further arguments.
    #[track_caller]
    pub fn up(&self, arguments: &[&str]) -> Assert {
        self.klab().arg("up").args(arguments).assert()
    }

    /// `klab down`
    #[track_caller]
    pub fn down(&self) -> Assert {
        self.klab().arg("down").assert()
    }

    /// Starts `klab up` and returns while it works.
    ///
    /// # Panics
    /// When klab cannot be started.
    #[must_use]
    pub fn begin_up(&self, arguments: &[&str]) -> Child {
        Process::new(tool_path("klab"))
            .args(["--name", &self.name, "up"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("klab starts")
    }

    /// The processes that klab started for it.
    ///
    /// # Panics
    /// When /proc cannot be listed.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        members(&self.name).expect("/proc")
    }

    /// Whether klab keeps anything of it on disk.
    #[must_use]
    pub fn on_disk(&self) -> bool {
        state_root().join(&self.name).exists()
    }

    /// Kills one process and returns when it is dead.
    ///
    /// # Panics
    /// When it survives.
    pub fn kill(&self, member: &Member) {
        // Its death may have been that of another just now: no such process is as good.
        let _ = kill(Pid::from_raw(member.pid), Signal::SIGKILL);
        eventually(
            &format!("{member:?} is dead"),
            Duration::from_secs(10),
            || (!self.members().contains(member)).then_some(()),
        );
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        if !self.on_disk() && self.members().is_empty() {
            return;
        }
        if let Err(error) = self.klab().arg("down").output() {
            eprintln!("cluster {} was not removed: {error}", self.name);
        }
    }
}
