//! Processes are killed, klab's own among them, and `down` leaves nothing.

use std::{collections::BTreeSet, process::Command, time::Duration};

use e2e::{Shared, tool};

use super::{Own, kind};

/// What a cluster runs for as long as it is up.
const LASTING: [&str; 11] = [
    "klab internal switch",
    "klab internal cloud",
    "coredns",
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
        // A cluster without pods is up in a fraction of the time.
        let needs_pods = wanted == "coredns" || !LASTING.contains(&wanted.as_str());
        let no_pods: &[&str] = if needs_pods { &[] } else { &["--no-dns"] };
        own.klab(&[&["up", "--nodes", "2"], no_pods].concat())
            .exits(0);
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

#[test]
fn down_leaves_nothing_after_up_itself_was_killed() {
    let own = Own::new("cut");
    let before = own.machine();
    let mut up = Command::new(tool("klab"))
        .args(["--name", &own.0, "up", "--nodes", "2"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let itself = up.id().to_string();
    Shared::eventually("a first process of up", Duration::from_secs(30), || {
        own.machine()
            .processes()
            .any(|pid| pid != itself)
            .then_some(())
    });
    up.kill().unwrap();
    up.wait().unwrap();
    own.klab(&["status"])
        .fails_naming(1, &["unfinished", "down"]);
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "up was killed");
}
