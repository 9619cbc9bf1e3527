//! Promises that a healthy stack keeps.

use std::{fs, path::Path};

use e2e::{Namespace, Shared, images, look, paint, run, tool};
use serde_json::Value;

use super::{deploy, drill, reports_are_whole};

#[test]
fn a_healthy_stack_keeps_its_promises() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "drills");
    let text = deploy(&shared, &namespace, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("stack.json");
    fs::write(&manifests, text).unwrap();
    let next = images::next(&shared);
    let drills = [
        "replicas",
        "balance",
        "dns",
        "scale",
        "rollout",
        "bad-rollout",
        "pod-kill",
        "drain",
        "drift",
        "prune",
    ];
    let flags = [
        "--image-next",
        &next,
        "--manifests",
        manifests.to_str().unwrap(),
    ];
    let same = ["rollout", "--image-next", &shared.image];
    drill(&shared, &namespace, folder.path(), &same)
        .fails_naming(2, &["runs", &shared.image, "--image-next"]);
    let before = owners(&shared, &namespace);
    drill(
        &shared,
        &namespace,
        folder.path(),
        &[&drills[..], &flags].concat(),
    )
    .exits(0);
    let timeline = reports_are_whole(folder.path());
    let load = &timeline["load"];
    assert!(load["fresh"]["requests"].as_u64() > Some(1000), "{load}");
    assert!(load["kept"]["requests"].as_u64() > Some(1000), "{load}");
    shows_in_a_browser(&folder.path().join("report.html"));
    // Nobody sees from the outside that there were drills.
    assert_eq!(before, owners(&shared, &namespace));
    let again = shared.kapply(&["diff", "-f", manifests.to_str().unwrap()], "");
    again.exits(0);

    let mut compare = std::process::Command::new(tool("kdrill"));
    compare.arg("compare").arg(folder.path()).arg(folder.path());
    let same = run(&mut compare, "").exits(0);
    assert!(same.stdout.trim_end().ends_with("not worse"), "{same}");
}

#[test]
fn nodes_may_come_be_cut_off_and_go() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "loss");
    deploy(&shared, &namespace, |_| {});
    let report = tempfile::tempdir().unwrap();
    let add = format!("{} --name {} node add", tool("klab").display(), shared.name);
    drill(
        &shared,
        &namespace,
        report.path(),
        &[
            "node-add",
            "node-partition",
            "node-loss",
            "--node-add",
            &add,
        ],
    )
    .exits(0);
    let timeline = reports_are_whole(report.path());
    let events = timeline["events"].as_array().unwrap();
    let added = events.iter().find(|event| event["kind"] == "node-added");
    let added = added.unwrap()["subject"].as_str().unwrap();
    shared.klab(&["node", "rm", added]).exits(0);
    // The node is back: the next one finds the cluster as this one did.
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(node["ready"], true, "{status}");
    }
}

/// The report in light, in dark and on a phone; its pictures stay in `target/tmp/report`.
fn shows_in_a_browser(report: &Path) {
    let page = fs::read_to_string(report).unwrap();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&pictures).unwrap();
    for (name, flags) in [
        ("light", &["--window-size=1200,4000"][..]),
        ("dark", &["--window-size=1200,4000", "--force-dark-mode"]),
        ("phone", &["--window-size=400,4000"]),
    ] {
        let seen = look(&page, flags);
        assert_eq!(seen.wrong, Vec::<String>::new(), "{name}");
        assert!(seen.shown.contains("Every promise held"), "{name}");
        assert!(seen.shown.matches("<svg").count() >= 4, "{name}");
        paint(report, &pictures.join(name).with_extension("png"), flags);
    }
}

/// Who owns which fields of the Deployment, without the controller's own status.
fn owners(shared: &Shared, namespace: &Namespace) -> Vec<(Value, Value)> {
    let deployment = shared.get_json(&[
        "-n",
        &namespace.name,
        "deployment",
        "web-deployment",
        "--show-managed-fields",
    ]);
    deployment["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["subresource"].is_null())
        .filter(|entry| entry["manager"] != "kube-controller-manager")
        .map(|entry| (entry["manager"].clone(), entry["fieldsV1"].clone()))
        .collect()
}
