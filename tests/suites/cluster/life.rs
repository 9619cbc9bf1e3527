//! From `up` to `down`: what is refused, what is left, what of the machine changes.

use std::{net::TcpListener, process::Command};

use e2e::{run, tool};
use serde_json::Value;

use super::Own;

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
fn what_cannot_be_started_is_refused_and_leaves_nothing() {
    let own = Own::new("bad");
    let before = own.machine();
    let refused = |words: &[&str], code: i32, named: &[&str]| {
        let ran = own.klab(&[&["up"], words].concat());
        ran.fails_naming(code, named);
        own.leaves_nothing(&before, &words.join(" "));
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(
        &["--api-port", &port],
        1,
        &["127.0.0.1", &port, "another program"],
    );
    refused(&["--registry", "--control-plane-only"], 2, &["--registry"]);
    refused(&["--servers", "2"], 2, &["1, 3 or 5"]);
    refused(&["--servers", "3", "--nodes", "2"], 1, &["--nodes 2"]);
    let argument = ["--kubelet-arg", "frobnicate=1"];
    refused(
        &argument,
        1,
        &["--kubelet-arg", "frobnicate", "nothing was started"],
    );
    let argument = ["--apiserver-arg", "frobnicate=1"];
    refused(&argument, 1, &["--apiserver-arg", "frobnicate"]);
}

#[test]
fn a_full_disk_is_one_message_and_leaves_nothing() {
    let own = Own::new("full");
    let before = own.machine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    // With -n, for mount's own notes in /run are something left behind, too.
    let mount = ["-n", "-t", "tmpfs", "-o", "size=400k", "tmpfs", path];
    run(Command::new("mount").args(mount), "").exits(0);
    let ran = own.klab(&["--state", path, "up", "--nodes", "1"]);
    let left = std::fs::read_dir(path).unwrap().count();
    run(Command::new("umount").args(["-n", path]), "").exits(0);
    ran.fails_naming(1, &["No space left on device"]);
    assert_eq!(left, 0);
    own.leaves_nothing(&before, "a full disk");
}

#[test]
fn two_clusters_run_side_by_side() {
    let (one, two) = (Own::new("one"), Own::new("two"));
    one.klab(&["up", "--control-plane-only"]).exits(0);
    two.klab(&["up", "--control-plane-only"]).exits(0);
    let server = |own: &Own| {
        let status = own.status();
        assert_eq!(status["apiReady"], true);
        status["server"].as_str().unwrap().to_owned()
    };
    assert_ne!(server(&one), server(&two));
    one.klab(&["down"]).exits(0);
    assert_eq!(server(&two), server(&two));
}

#[test]
fn the_doctor_finds_that_clusters_can_start_here() {
    let own = Own::new("doctor");
    let before = own.machine();
    let said = own.klab(&["doctor", "-o", "json"]).exits(0).stdout;
    let findings: Value = serde_json::from_str(&said).unwrap();
    for finding in findings.as_array().unwrap() {
        assert_eq!(
            finding["fix"].is_null(),
            finding["verdict"] == "ok",
            "{finding}"
        );
    }
    own.leaves_nothing(&before, "doctor");
    // Without nft on the PATH, kube-proxy could do nothing.
    let mut without = Command::new(tool("klab"));
    without.arg("doctor").env("PATH", "/nonexistent");
    let ran = run(&mut without, "").exits(1);
    assert!(ran.stdout.contains("apt-get install nftables"), "{ran}");
}
