//! The drills pass on a healthy stack, and fail for the right reason on a broken one.

use std::path::Path;

use e2e::{Namespace, Ran, Shared};
use serde_json::Value;

fn deploy(shared: &Shared, namespace: &Namespace, change: impl Fn(&mut Value)) {
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    let image = format!("hostname-server={}", shared.image);
    let words = [
        "render",
        "-f",
        manifests,
        "-n",
        &namespace.name,
        "--image",
        &image,
        "-o",
        "json",
    ];
    let rendered = shared.kapply(&words, "").exits(0).stdout;
    let mut list: Value = serde_json::from_str(&rendered).unwrap();
    let objects = list["items"].as_array_mut().unwrap();
    let deployment = objects
        .iter_mut()
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    change(deployment);
    shared
        .kapply(
            &["apply", "-f", "-", "--wait", "--timeout", "2m"],
            &list.to_string(),
        )
        .exits(0);
}

fn drill(shared: &Shared, namespace: &Namespace, report: &Path, drills: &[&str]) -> Ran {
    let report = report.to_str().unwrap();
    shared.kdrill(
        &[
            drills,
            &["--namespace", &namespace.name, "--report", report],
        ]
        .concat(),
    )
}

fn reports_are_whole(folder: &Path) -> Value {
    let timeline = std::fs::read_to_string(folder.join("timeline.json")).unwrap();
    let html = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(html.trim_end().ends_with("</html>"));
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(
            !html.contains(outside),
            "the report asks for something outside: {outside}"
        );
    }
    serde_json::from_str(&timeline).unwrap()
}

#[test]
fn a_healthy_stack_keeps_its_promises() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "drills");
    deploy(&shared, &namespace, |_| {});
    let report = tempfile::tempdir().unwrap();
    drill(
        &shared,
        &namespace,
        report.path(),
        &["replicas", "balance", "scale"],
    )
    .exits(0);
    reports_are_whole(report.path());
}

#[test]
fn losing_a_node_is_survived() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "loss");
    deploy(&shared, &namespace, |_| {});
    let report = tempfile::tempdir().unwrap();
    drill(&shared, &namespace, report.path(), &["node-loss"]).exits(0);
    reports_are_whole(report.path());
    // The node is back: the next one finds the cluster as this one did.
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!(node["ready"], true, "{status}");
    }
}

#[test]
fn replicas_on_one_node_break_the_promise_of_spread() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "pinned");
    deploy(&shared, &namespace, |deployment| {
        deployment["spec"]["template"]["spec"]["nodeSelector"] =
            serde_json::json!({ "kubernetes.io/hostname": "server" });
    });
    let report = tempfile::tempdir().unwrap();
    let ran = drill(&shared, &namespace, report.path(), &["replicas"]).exits(1);
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains("server"),
        "{ran}"
    );
    reports_are_whole(report.path());
}

#[test]
fn a_service_that_selects_nothing_is_refused_with_both_sides_labels() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "selector");
    deploy(&shared, &namespace, |_| {});
    let patch = r#"{"spec":{"selector":{"app":"wbe"}}}"#;
    shared
        .kubectl(
            &[
                "patch",
                "-n",
                &namespace.name,
                "service",
                "python-service",
                "-p",
                patch,
            ],
            "",
        )
        .exits(0);
    let report = tempfile::tempdir().unwrap();
    drill(&shared, &namespace, report.path(), &["balance"])
        .fails_naming(2, &["app=wbe", "app=web"]);
}
