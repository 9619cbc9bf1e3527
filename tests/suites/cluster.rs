//! klab's own life: what it starts, what it leaves, what it says.

use std::process::Command;

use e2e::{Ran, Shared, Traces, run, tool};

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

    fn traces(&self) -> Traces {
        Traces::of(&self.0)
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

#[test]
fn down_leaves_nothing_and_up_changed_nothing() {
    let own = Own::new("life");
    let before = own.traces();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    let during = own.traces();
    assert!(during.has_processes());
    assert_ne!(before, during);
    own.klab(&["down"]).exits(0);
    assert_eq!(before, own.traces());
}

#[test]
fn a_second_up_says_what_exists() {
    let own = Own::new("twice");
    own.klab(&["up", "--control-plane-only"]).exits(0);
    own.klab(&["up"])
        .fails_naming(1, &[&own.0, "exists already", "server", "down"]);
    own.klab(&["status"]).exits(0);
}

#[test]
fn two_clusters_run_side_by_side() {
    let (one, two) = (Own::new("one"), Own::new("two"));
    one.klab(&["up", "--control-plane-only"]).exits(0);
    two.klab(&["up", "--control-plane-only"]).exits(0);
    let server = |own: &Own| {
        let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["apiReady"], true);
        status["server"].as_str().unwrap().to_owned()
    };
    assert_ne!(server(&one), server(&two));
    one.klab(&["down"]).exits(0);
    assert_eq!(server(&two), server(&two));
}

/// Every process of a cluster is killed once, alone, and `down` comes after.
#[test]
fn down_leaves_nothing_after_any_process_was_killed() {
    let own = Own::new("kill");
    let before = own.traces();
    let mut kinds = Vec::new();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    for pid in own.traces().pids() {
        kinds.push(kind(pid));
    }
    own.klab(&["down"]).exits(0);
    kinds.sort();
    kinds.dedup();
    assert!(
        kinds.iter().any(|kind| kind.contains("internal switch")),
        "{kinds:?}"
    );
    assert!(
        kinds.iter().any(|kind| kind.contains("internal init")),
        "{kinds:?}"
    );
    for wanted in kinds {
        own.klab(&["up", "--nodes", "2"]).exits(0);
        let during = own.traces();
        let victim = during.pids().find(|pid| kind(pid) == wanted);
        let victim = victim.unwrap_or_else(|| panic!("no {wanted} this time"));
        assert!(
            Command::new("kill")
                .args(["-9", victim])
                .status()
                .unwrap()
                .success()
        );
        own.klab(&["down"]).exits(0);
        assert_eq!(before, own.traces(), "after {wanted} was killed");
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

#[test]
fn down_leaves_nothing_after_up_itself_was_killed() {
    let own = Own::new("cut");
    let before = own.traces();
    let mut up = Command::new(tool("klab"))
        .args(["--name", &own.0, "up", "--nodes", "2"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    Shared::eventually(
        "a first process",
        std::time::Duration::from_secs(30),
        || own.traces().has_processes().then_some(()),
    );
    up.kill().unwrap();
    up.wait().unwrap();
    own.klab(&["status"])
        .fails_naming(1, &["unfinished", "down"]);
    own.klab(&["down"]).exits(0);
    assert_eq!(before, own.traces());
}

#[test]
fn a_node_comes_back_and_a_removed_one_is_forgotten() {
    let own = Own::new("nodes");
    own.klab(&["up", "--nodes", "1"]).exits(0);
    let added = own.klab(&["node", "add"]).exits(0);
    assert_eq!(added.stdout, "agent1\n");
    own.klab(&["node", "stop", "agent1"]).exits(0);
    own.klab(&["node", "stop", "agent1"])
        .fails_naming(1, &["agent1", "stopped already"]);
    own.klab(&["exec", "agent1", "--", "true"])
        .fails_naming(1, &["agent1", "node start agent1"]);
    own.klab(&["node", "start", "agent1"]).exits(0);
    let said = own.klab(&["exec", "agent1", "--", "hostname"]).exits(0);
    assert_eq!(said.stdout, "agent1\n");
    own.klab(&["node", "rm", "server"])
        .fails_naming(1, &["control plane"]);
    own.klab(&["node", "rm", "agent1"]).exits(0);
    let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
    assert!(!status.contains("agent1"), "{status}");
}

#[test]
fn credentials_are_private_and_nobody_is_anonymous() {
    use std::os::unix::fs::MetadataExt;
    let shared = Shared::get();
    let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0).stdout;
    let mode = std::fs::metadata(kubeconfig.trim()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let address = status["server"]
        .as_str()
        .unwrap()
        .trim_start_matches("https://");
    let mut nobody = Command::new("openssl");
    nobody.args(["s_client", "-quiet", "-connect", address]);
    let ran = run(&mut nobody, "GET /api HTTP/1.0\r\n\r\n");
    assert!(ran.stdout.starts_with("HTTP/1.0 401 Unauthorized"), "{ran}");
}
