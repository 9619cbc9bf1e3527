//! Watches that the server ends: the wait goes on from a new list.

use std::{process::Stdio, thread, time::Duration};

use e2e::{Fault, Rule, Shared};
use serde_json::json;

use super::Scene;

/// A definition of a test's own, which ends with it.
struct Definition<'a>(&'a Shared, String);

impl Drop for Definition<'_> {
    fn drop(&mut self) {
        let words = ["delete", "customresourcedefinition", &self.1];
        self.0.kubectl(&words, "");
    }
}

#[test]
fn a_watch_from_a_version_that_is_forgotten_begins_with_a_new_list() {
    let scene = Scene::new("forgotten");
    // A kind that is younger than the server: of no other it is certain that it forgot a version.
    let group = format!("f{}.example.com", std::process::id());
    let definition = Definition(&scene.shared, format!("widgets.{group}"));
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.1},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}]}});
    let ready = ["apply", "--wait", "-f", "-"];
    scene.shared.kapply(&ready, &crd.to_string()).exits(0);

    scene
        .proxy
        .set(vec![Rule::new("GET", "watch=", Fault::Forgotten).times(6)]);
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget",
        "metadata": {"name": "a"}});
    let kubeconfig = scene.kubeconfig.path().to_str().expect("UTF-8");
    let mut apply = scene.shared.kapply_command(&[
        "apply",
        "--kubeconfig",
        kubeconfig,
        "-n",
        &scene.namespace.name,
        "--wait",
        "--wait-for",
        "widget/a=condition:Ready",
        "-f",
        "-",
    ]);
    apply.stderr(Stdio::piped());
    let applied = thread::spawn(move || e2e::run(&mut apply, &widget.to_string()));
    let asked = |word: &str| {
        let seen = scene.proxy.seen();
        let of_widgets = seen.iter().filter(|seen| seen.path.contains("/widgets?"));
        of_widgets.filter(|seen| seen.path.contains(word)).count()
    };
    Shared::eventually("a watch after a new list", Duration::from_mins(1), || {
        (asked("watch=") > 1 && asked("limit=") > 1).then_some(())
    });
    let status =
        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}).to_string();
    let patch = ["patch", &definition.1, "a", "--type=merge", "-p"];
    let namespace = ["-n", &scene.namespace.name];
    let patch = [&namespace[..], &patch, &[&status]].concat();
    scene.shared.kubectl(&patch, "").exits(0);
    applied.join().expect("it ran").exits(0);
}
