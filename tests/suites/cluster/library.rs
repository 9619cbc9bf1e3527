//! klab as other projects' tests use it: a value that is a cluster.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    time::Duration,
};

use e2e::{Shared, tool};
use klab::Cluster;

use super::Own;

#[test]
fn a_fixture_does_what_klab_does_and_drop_leaves_nothing() {
    let own = Own::new("fixture");
    let before = own.machine();
    let cluster = Cluster::builder().name(&own.0).nodes(1).no_dns();
    let cluster = cluster.start().unwrap();
    assert_eq!(cluster.name(), own.0);
    let ready = cluster.kubectl().args(["get", "--raw=/readyz"]).output();
    assert_eq!(ready.unwrap().stdout, b"ok");
    assert!(cluster.kubeconfig().is_file());
    let shared = Shared::get();
    cluster.load(&shared.archive).unwrap();

    assert_eq!(cluster.add_node().unwrap(), "agent1");
    let agent = || cluster.status().unwrap().nodes[1].clone();
    let said = cluster.exec("agent1", "hostname").output().unwrap();
    assert_eq!(said.stdout, b"agent1\n");
    cluster.partition_node("agent1").unwrap();
    assert!(!agent().connected);
    cluster.heal_node("agent1").unwrap();
    cluster.stop_node("agent1").unwrap();
    assert!(!agent().running);
    cluster.start_node("agent1").unwrap();
    assert_eq!(agent().ready, Some(true));
    cluster.remove_node("agent1").unwrap();
    let error = cluster.stop_node("agent1").unwrap_err().to_string();
    assert!(error.contains("no node agent1"), "{error}");

    let twice = Cluster::builder().name(&own.0).start().unwrap_err();
    assert!(twice.to_string().contains("exists already"), "{twice}");
    drop(cluster);
    own.leaves_nothing(&before, "drop");
}

#[test]
fn a_panic_removes_the_cluster_and_keep_does_not() {
    let own = Own::new("panic");
    let before = own.machine();
    let start = || Cluster::builder().name(&own.0).control_plane_only().start();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _cluster = start().unwrap();
        own.klab(&["status"]).exits(0);
        panic!("a test that fails");
    }));
    let message = *panicked.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "a test that fails");
    own.leaves_nothing(&before, "a panic");

    let remove = start().unwrap().keep().unwrap();
    own.klab(&["status"]).exits(0);
    let mut shell = Command::new("sh");
    assert!(shell.args(["-c", &remove]).status().unwrap().success());
    own.leaves_nothing(&before, &remove);
}

/// The kernel closes the pipe of whoever is killed.
#[test]
fn a_cluster_ends_with_whoever_held_it() {
    let own = Own::new("held");
    let before = own.machine();
    // Killed before it is up, and after.
    for up in [false, true] {
        let mut owner = Command::new("sleep");
        let mut owner = owner.arg("600").stdout(Stdio::piped()).spawn().unwrap();
        let mut holder = Command::new(tool("klab"))
            .args(["--quiet", "--name", &own.0])
            .args(["up", "--hold", "--control-plane-only"])
            .stdin(owner.stdout.take().unwrap())
            .spawn()
            .unwrap();
        let itself = holder.id().to_string();
        Shared::eventually("a cluster", Duration::from_mins(1), || {
            let begun = own.machine().processes().any(|pid| pid != itself);
            let is_up = || own.klab(&["status"]).code == Some(0);
            (begun && (!up || is_up())).then_some(())
        });
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(holder.wait().unwrap().success());
        own.leaves_nothing(&before, "its owner was killed");
    }
}
