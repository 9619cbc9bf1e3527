//! Services that are not found by their names: kdrill says so, and how the name was lost.

use e2e::{Namespace, Shared};
use serde_json::json;

use super::{broken, deploy, drill, reports_are_whole};

#[test]
fn a_name_that_is_not_there_and_a_server_that_is_not_break_dns() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "nameless");
    deploy(&shared, &namespace, |_| {});
    let found = |flags: &[&str]| {
        let report = tempfile::tempdir().unwrap();
        drill(
            &shared,
            &namespace,
            report.path(),
            &[&["dns", "--timeout", "3s"], flags].concat(),
        )
        .exits(1);
        broken(&reports_are_whole(report.path()), "dns")
    };

    let missing = found(&["--cluster-domain", "other.cluster.local"]);
    let name = format!("python-service.{}.svc.other.cluster.local", namespace.name);
    let [(known, never), (promise, measured)] = &missing[..] else {
        panic!("{missing:?}")
    };
    assert_eq!([known, never], ["the name is known", "not reached"]);
    assert!(promise.contains(&name), "{missing:?}");
    assert!(measured.contains("name-missing)"), "{missing:?}");

    // A Service that nobody stands behind.
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "nobody", "namespace": namespace.name},
        "spec": {"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}});
    shared
        .kubectl(&["create", "-f", "-"], &service.to_string())
        .exits(0);
    let nobody = shared.get_json(&["service", "nobody", "-n", &namespace.name]);
    let nobody = nobody["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let unanswered = found(&["--name-server", &nobody]);
    assert!(
        unanswered[1].1.contains("name-failed") || unanswered[1].1.contains("name-timeout"),
        "{unanswered:?}"
    );
}

#[test]
fn a_cluster_without_a_name_server_is_told_apart_from_one_that_fails() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "nodns");
    deploy(&shared, &namespace, |_| {});
    let _hidden = Hidden::name_server(&shared);
    let report = tempfile::tempdir().unwrap();
    drill(&shared, &namespace, report.path(), &["dns"])
        .fails_naming(2, &["no name server", "k8s-app=kube-dns", "--name-server"]);
    assert!(!report.path().join("timeline.json").exists());
}

/// The cluster's name server without the label that it is known by; back when dropped.
struct Hidden(Shared);

impl Hidden {
    fn name_server(shared: &Shared) -> Self {
        label(shared, "k8s-app-").exits(0);
        Self(shared.clone())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let ran = label(&self.0, "k8s-app=kube-dns");
        if ran.code != Some(0) {
            eprintln!("{ran}");
        }
    }
}

fn label(shared: &Shared, change: &str) -> e2e::Ran {
    let words = ["label", "service", "kube-dns", "-n", "kube-system", change];
    shared.kubectl(&words, "")
}
