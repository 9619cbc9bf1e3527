//! Processes are killed, klab's own among them, and `down` leaves nothing.

use std::{collections::BTreeSet, process::Command, time::Duration};

use e2e::{Shared, tool};

use super::{Own, kind};

/// What is started again when it ends.
const SUPERVISED: [&str; 8] = [
    "klab internal cloud",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
];
/// What a pod consists of.
const POD: [&str; 3] = ["coredns", "pause", "containerd-shim-runc-v2"];
/// Without one of these, a node or the cluster is gone.
const VITAL: [&str; 2] = ["klab internal switch", "klab internal init"];

/// Every kind of process is killed once, and `down` comes after. What comes back
/// is waited for, so that each is killed in a cluster that is whole.
#[test]
fn down_leaves_nothing_after_any_process_was_killed() {
    let own = Own::new("kill");
    let before = own.machine();
    own.klab(&["up", "--nodes", "1"]).exits(0);
    for wanted in SUPERVISED {
        let victim = kill(&own, wanted);
        Shared::eventually(wanted, Duration::from_secs(30), || {
            find(&own, wanted).filter(|pid| *pid != victim)
        });
    }
    for wanted in POD {
        kill(&own, wanted);
    }
    let known: Vec<_> = [&SUPERVISED[..], &POD, &VITAL].concat();
    let kinds: BTreeSet<String> = own.machine().processes().map(kind).collect();
    // What else is caught in the act, as plugins and helpers, counts too.
    for other in kinds.iter().filter(|kind| !known.contains(&kind.as_str())) {
        if let Some(pid) = find(&own, other) {
            send_kill(&pid);
        }
    }
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "everything that comes back was killed");

    for wanted in VITAL {
        own.klab(&["up", "--nodes", "1", "--no-dns"]).exits(0);
        kill(&own, wanted);
        own.klab(&["down"]).exits(0);
        own.leaves_nothing(&before, &format!("{wanted} was killed"));
    }
}

/// Kills a process of this kind, and returns its id.
fn kill(own: &Own, wanted: &str) -> String {
    let pid = Shared::eventually(wanted, Duration::from_secs(30), || find(own, wanted));
    assert!(send_kill(&pid), "{wanted} has ended by itself");
    pid
}

fn find(own: &Own, wanted: &str) -> Option<String> {
    let machine = own.machine();
    let mut found = machine.processes().filter(|pid| kind(pid) == wanted);
    found.next().map(str::to_owned)
}

/// Whether there was such a process.
fn send_kill(pid: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-9", pid]).status().unwrap().success()
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
