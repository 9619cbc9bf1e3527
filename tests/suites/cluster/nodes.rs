//! Nodes come, go, lose their network and their power, servers among them.

use std::{collections::BTreeSet, time::Duration};

use e2e::{Shared, run};

use super::{Own, kind};

#[test]
fn a_node_comes_back_and_a_removed_one_is_forgotten() {
    let own = Own::new("nodes");
    own.klab(&["up", "--nodes", "1"]).exits(0);
    let added = own.klab(&["node", "add"]).exits(0);
    assert_eq!(added.stdout, "agent1\n");
    // Twice is once.
    for _ in 0..2 {
        own.klab(&["node", "stop", "agent1"]).exits(0);
    }
    own.klab(&["exec", "agent1", "--", "true"])
        .fails_naming(1, &["agent1", "node start agent1"]);
    own.klab(&["node", "partition", "agent1"])
        .fails_naming(1, &["agent1", "stopped", "node start agent1"]);
    let before = gateway(&own);
    // The switch's own: one of a port would be right by chance.
    assert_eq!(before, "02:6b:6c:61:62:ff");
    for _ in 0..2 {
        own.klab(&["node", "start", "agent1"]).exits(0);
    }
    assert_eq!(before, gateway(&own), "the others have lost their way out");
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
    let agent = || own.status()["nodes"][1].clone();
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
    own.klab(&["node", "slow", "agent1", "--rate", "10mbit"])
        .exits(0);
    let disciplines = ["exec", "agent1", "--", "tc", "qdisc", "show", "dev", "eth0"];
    let shown = own.klab(&disciplines).exits(0).stdout;
    assert!(shown.contains("tbf") && shown.contains("10Mbit"), "{shown}");
    own.klab(&["node", "slow", "agent1", "--rate", "fast"])
        .fails_naming(1, &["tc", "fast"]);
    own.klab(&["node", "heal", "agent1"]).exits(0);
    let shown = own.klab(&disciplines).exits(0).stdout;
    assert!(!shown.contains("tbf"), "{shown}");
    assert_eq!(agent()["connected"], true);
}

/// Any of three servers may be lost, and each of their components restarted.
#[test]
fn three_servers_survive_the_loss_of_any() {
    let own = Own::new("quorum");
    own.klab(&["up", "--control-plane-only", "--servers", "3"])
        .exits(0);
    let kubectl = |words: &[&str]| {
        let mut kubectl = own.kubectl();
        run(kubectl.args(words).arg("--request-timeout=30s"), "")
    };
    for (turn, server) in ["server", "server2", "server3"].into_iter().enumerate() {
        own.klab(&["node", "stop", server]).exits(0);
        let name = format!("without-{server}");
        Shared::eventually(
            "a write with one server lost",
            Duration::from_secs(30),
            || {
                // A connection that was open to the lost server fails, once.
                let ran = kubectl(&["create", "configmap", &name]);
                let there = ran.stderr.contains("AlreadyExists");
                (ran.code == Some(0) || there).then_some(())
            },
        );
        own.klab(&["node", "start", server]).exits(0);
        let listed = kubectl(&["get", "configmaps", "-o", "name"])
            .exits(0)
            .stdout;
        assert_eq!(listed.matches("without-").count(), turn + 1, "{listed}");
        // The next one may go once this one counts again.
        Shared::eventually("a server that answers", Duration::from_mins(1), || {
            let ready = "--server=https://127.0.0.1:6443 --kubeconfig=/var/lib/klab/scheduler.kubeconfig get --raw=/readyz";
            let words = ["exec", server, "--", "kubectl"];
            let ran = own.klab(&[&words[..], &ready.split(' ').collect::<Vec<_>>()].concat());
            (ran.stdout == "ok").then_some(())
        });
    }
    let schedulers = || {
        let machine = own.machine();
        let pids = machine
            .processes()
            .filter(|pid| kind(pid) == "kube-scheduler");
        pids.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    // The last server's comes a moment after its API server.
    let before = Shared::eventually("three schedulers", Duration::from_secs(30), || {
        Some(schedulers()).filter(|all| all.len() == 3)
    });
    own.klab(&["node", "restart", "server2", "kube-scheduler"])
        .exits(0);
    assert_eq!(
        before.intersection(&schedulers()).count(),
        2,
        "one is another"
    );
    own.klab(&["node", "restart", "server2", "kubelet"])
        .fails_naming(1, &["server2", "kubelet", "kube-scheduler"]);
}

/// The hardware address that `server` has its gateway at.
fn gateway(own: &Own) -> String {
    let table = own.klab(&["exec", "server", "--", "cat", "/proc/net/arp"]);
    let table = table.exits(0).stdout;
    let mut lines = table.lines().map(str::split_whitespace);
    let mut line = lines
        .find(|line| line.clone().next() == Some("172.30.0.1"))
        .unwrap_or_else(|| panic!("no gateway in {table}"));
    line.nth(3).expect("the fourth column").to_owned()
}
