//! klab's own life: what it starts, what it leaves, what it says.

use std::{collections::BTreeSet, process::Command, time::Duration};

use e2e::{Ran, Shared, run, tool};
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

    /// The hardware address that `server` has its gateway at.
    fn gateway(&self) -> String {
        let table = self.klab(&["exec", "server", "--", "cat", "/proc/net/arp"]);
        let table = table.exits(0).stdout;
        let mut lines = table.lines().map(str::split_whitespace);
        let mut line = lines
            .find(|line| line.clone().next() == Some("172.30.0.1"))
            .unwrap_or_else(|| panic!("no gateway in {table}"));
        line.nth(3).expect("the fourth column").to_owned()
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

#[test]
fn down_leaves_nothing_and_up_changed_nothing() {
    let own = Own::new("life");
    let before = own.machine();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    let during = before.changes_to(&own.machine());
    for kind in ["process", "namespace", "cgroup", "file"] {
        let left = format!("left behind: {kind} ");
        assert!(
            during.iter().any(|change| change.starts_with(&left)),
            "no {kind} in {during:?}"
        );
    }
    let changed = during.iter().find(|change| change.starts_with("gone: "));
    assert_eq!(changed, None, "up changed the machine's own");
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "down");
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
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["apiReady"], true);
        status["server"].as_str().unwrap().to_owned()
    };
    assert_ne!(server(&one), server(&two));
    one.klab(&["down"]).exits(0);
    assert_eq!(server(&two), server(&two));
}

/// What a cluster runs for as long as it is up.
const LASTING: [&str; 9] = [
    "klab internal switch",
    "klab internal init",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
];

/// Every kind of process is killed once, alone, and `down` comes after.
#[test]
fn down_leaves_nothing_after_any_process_was_killed() {
    let own = Own::new("kill");
    let before = own.machine();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    // What else is caught in the act, as plugins and helpers, counts too.
    let mut kinds: BTreeSet<String> = own.machine().processes().map(kind).collect();
    own.klab(&["down"]).exits(0);
    kinds.extend(LASTING.map(str::to_owned));
    for wanted in kinds {
        own.klab(&["up", "--nodes", "2"]).exits(0);
        let during = own.machine();
        let victim = during.processes().find(|pid| kind(pid) == wanted);
        let killed = victim.is_some_and(|pid| {
            let mut kill = Command::new("kill");
            kill.args(["-9", pid]).status().unwrap().success()
        });
        assert!(
            killed || !LASTING.contains(&wanted.as_str()),
            "there is no {wanted}"
        );
        own.klab(&["down"]).exits(0);
        own.leaves_nothing(&before, &format!("{wanted} was killed"));
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
    let before = own.machine();
    let mut up = Command::new(tool("klab"))
        .args(["--name", &own.0, "up", "--nodes", "2"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    Shared::eventually("a first process", Duration::from_secs(30), || {
        own.machine().processes().next().map(drop)
    });
    up.kill().unwrap();
    up.wait().unwrap();
    own.klab(&["status"])
        .fails_naming(1, &["unfinished", "down"]);
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "up was killed");
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
    own.klab(&["node", "partition", "agent1"])
        .fails_naming(1, &["agent1", "stopped", "node start agent1"]);
    let gateway = own.gateway();
    // The switch's own: one of a port would be right by chance.
    assert_eq!(gateway, "02:6b:6c:61:62:ff");
    own.klab(&["node", "start", "agent1"]).exits(0);
    assert_eq!(gateway, own.gateway(), "the others have lost their way out");
    let said = own.klab(&["exec", "agent1", "--", "hostname"]).exits(0);
    assert_eq!(said.stdout, "agent1\n");
    own.klab(&["node", "rm", "server"])
        .fails_naming(1, &["control plane"]);
    own.klab(&["node", "rm", "agent1"]).exits(0);
    let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
    assert!(!status.contains("agent1"), "{status}");
}

#[test]
fn a_partitioned_node_goes_on_alone_until_it_heals() {
    let own = Own::new("part");
    own.klab(&["up", "--nodes", "2"]).exits(0);
    let agent = || {
        let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        status["nodes"][1].clone()
    };
    let reached = |from: &str, address: &str| {
        let connect = format!("exec 3<>/dev/tcp/{address}");
        own.klab(&["exec", from, "--", "timeout", "2", "bash", "-c", &connect])
            .code
            == Some(0)
    };
    assert!(reached("agent1", "172.30.0.10/6443"));
    assert!(reached("server", "172.30.0.11/10250"));
    // Twice is once.
    for _ in 0..2 {
        own.klab(&["node", "partition", "agent1"]).exits(0);
        own.klab(&["status"]).exits(0);
        assert_eq!(agent()["connected"], false);
    }
    assert!(!reached("agent1", "172.30.0.10/6443"));
    assert!(!reached("server", "172.30.0.11/10250"));
    assert!(reached("agent1", "127.0.0.1/10250"), "its kubelet goes on");
    Shared::eventually("a node that is missed", Duration::from_secs(30), || {
        (agent()["ready"] == false).then_some(())
    });
    let running = agent()["running"].clone();
    assert_eq!(running, true);
    own.klab(&["node", "heal", "agent1"]).exits(0);
    assert_eq!(agent()["ready"], true);
    assert!(reached("server", "172.30.0.11/10250"));
    own.klab(&["node", "heal", "agent1"]).exits(0);
    assert_eq!(agent()["connected"], true);
}

#[test]
fn credentials_are_private_and_nobody_is_anonymous() {
    use std::os::unix::fs::MetadataExt;
    let shared = Shared::get();
    let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0).stdout;
    let mode = std::fs::metadata(kubeconfig.trim()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let address = status["server"]
        .as_str()
        .unwrap()
        .trim_start_matches("https://");
    let mut nobody = Command::new("openssl");
    nobody.args(["s_client", "-quiet", "-connect", address]);
    let ran = run(&mut nobody, "GET /api HTTP/1.0\r\n\r\n");
    assert!(ran.stdout.starts_with("HTTP/1.0 401 Unauthorized"), "{ran}");
}
