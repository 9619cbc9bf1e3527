//! klab's own life: what it starts, what it leaves, what it says.

#[path = "cluster/access.rs"]
mod access;
#[path = "cluster/interrupted.rs"]
mod interrupted;
#[path = "cluster/killed.rs"]
mod killed;
#[path = "cluster/library.rs"]
mod library;
#[path = "cluster/life.rs"]
mod life;
#[path = "cluster/nodes.rs"]
mod nodes;
#[path = "cluster/pods.rs"]
mod pods;

use std::process::Command;

use e2e::{Ran, run, tool};
use serde_json::Value;
use xtask::machine::Inventory;

/// A cluster of this test's own; gone when dropped, whatever happened.
struct Own(String);

impl Own {
    fn new(suffix: &str) -> Self {
        // The run removes clusters of this pattern whose process is gone.
        Self(format!("e2e-{}{suffix}", std::process::id()))
    }

    fn klab(&self, words: &[&str]) -> Ran {
        run(
            Command::new(tool("klab"))
                .args(["--name", &self.0])
                .args(words),
            "",
        )
    }

    fn status(&self) -> Value {
        let status = self.klab(&["status", "-o", "json"]).exits(0).stdout;
        serde_json::from_str(&status).expect("a document")
    }

    /// The runtime's kubectl, with the administrator's access.
    fn kubectl(&self) -> Command {
        let said = |words: &[&str]| self.klab(words).exits(0).stdout.trim().to_owned();
        let mut kubectl = Command::new(format!("{}/kubectl", said(&["runtime", "path"])));
        kubectl.env("KUBECONFIG", said(&["kubeconfig", "--path"]));
        kubectl
    }

    /// The machine, with what there is of this cluster.
    fn machine(&self) -> Inventory {
        Inventory::take(&|name| name == self.0).unwrap()
    }

    fn leaves_nothing(&self, before: &Inventory, after: &str) {
        let changes = before.changes_to(&self.machine());
        assert!(changes.is_empty(), "{after}: {}", changes.join("\n"));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let ran = self.klab(&["down"]);
        if ran.code != Some(0) {
            eprintln!("{ran}");
        }
    }
}

/// A process's program and klab's role, without what differs from run to run.
fn kind(pid: &str) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let program = words[0].rsplit('/').next().unwrap_or_default().to_owned();
    if program == "klab" {
        format!("{program} {} {}", words[1], words[2])
    } else {
        program
    }
}
