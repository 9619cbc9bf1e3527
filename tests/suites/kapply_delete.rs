//! Deleting: in reverse order, exactly what was meant, and with a word about
//! what holds an object.

use std::time::{Duration, Instant};

use e2e::{Namespace, Shared};
use serde_json::Value;

fn delete(shared: &Shared, namespace: &str, more: &[&str], input: &str) -> e2e::Ran {
    let words = ["delete", "-f", "-", "-n", namespace];
    shared.kapply(&[&words, more].concat(), input)
}

fn map(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{by: {name}}}\n"
    )
}

/// Where each line that begins with one of the words stands in the output.
fn positions(stdout: &str, words: &[&str]) -> Vec<usize> {
    let position = |word: &&str| stdout.lines().position(|line| line.starts_with(*word));
    words
        .iter()
        .map(|word| position(word).unwrap_or_else(|| panic!("no {word} in {stdout}")))
        .collect()
}

#[test]
fn objects_go_in_reverse_order_and_twice_is_once() {
    let shared = Shared::get();
    let pid = std::process::id();
    let room = format!("reverse-{pid}");
    let group = format!("reverse{pid}.example.com");
    let input = format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: {room}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: operator}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: operator}}
spec:
  selector: {{matchLabels: {{app: operator}}}}
  template: {{metadata: {{labels: {{app: operator}}}}, spec: {{containers: [{{name: a, image: none}}]}}}}
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: w}}
"
    );
    shared
        .kapply(&["apply", "-f", "-", "-n", &room], &input)
        .exits(0);
    let ran = delete(&shared, &room, &["--dry-run"], &input).exits(0);
    assert!(ran.stdout.contains("5 objects: 5 deleted"), "{ran}");
    shared
        .kubectl(&["get", "deployment", "operator", "-n", &room], "")
        .exits(0);

    let ran = delete(&shared, &room, &[], &input).exits(0);
    let lines = [
        &format!("widget.{group}/w deleted"),
        "deployment.apps/operator deleted",
        "serviceaccount/operator deleted",
        &format!("customresourcedefinition.apiextensions.k8s.io/widgets.{group} deleted"),
        &format!("namespace/{room} deleted"),
    ];
    assert!(
        positions(&ran.stdout, &lines.map(|line| line as &str)).is_sorted(),
        "{ran}"
    );
    // It waited: there is nothing left.
    shared
        .kubectl(&["get", "namespace", &room], "")
        .fails_naming(1, &["not found"]);
    let ran = delete(&shared, &room, &[], &input).exits(0);
    assert!(ran.stdout.contains("5 objects: 5 missing"), "{ran}");
}

#[test]
fn what_cannot_exist_is_missing_and_holds_up_nothing() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "unknown");
    let unknown = "apiVersion: gone.example.com/v1\nkind: Widget\nmetadata: {name: w}\n";
    let input = format!("{unknown}{}", map("a"));
    let made = shared.kapply(&["apply", "-f", "-", "-n", &namespace.name], &map("a"));
    made.exits(0);
    let ran = delete(&shared, &namespace.name, &[], &input).exits(0);
    for line in ["configmap/a deleted", "widget.gone.example.com/w missing"] {
        assert!(ran.stdout.contains(line), "{ran}");
    }
    assert!(ran.stderr.contains("stdin:1: "), "{ran}");
}

#[test]
fn a_finalizer_is_named_with_who_put_it_there() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "held");
    let name = &namespace.name;
    shared
        .kubectl(
            &["create", "-n", name, "-f", "-"],
            &format!("{}{}", map("held"), map("free")),
        )
        .exits(0);
    let finalizer = r#"{"metadata":{"finalizers":["example.com/guard"]}}"#;
    shared
        .kubectl(
            &[
                "patch",
                "configmap",
                "held",
                "-n",
                name,
                "--field-manager=guardian",
                "-p",
                finalizer,
            ],
            "",
        )
        .exits(0);
    let account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: needed}\n";
    shared
        .kubectl(&["create", "-n", name, "-f", "-"], account)
        .exits(0);
    let input = format!("{}{}{account}", map("held"), map("free"));

    let started = Instant::now();
    let ran = delete(&shared, name, &["--timeout", "2s"], &input).fails_naming(
        4,
        &[
            "configmap/held",
            "finalizer example.com/guard",
            "\"guardian\"",
            "skipped: serviceaccount/needed",
        ],
    );
    assert!(
        started.elapsed() >= Duration::from_secs(2) && started.elapsed() < Duration::from_secs(20),
        "{ran}"
    );
    assert!(ran.stdout.contains("configmap/free deleted"), "{ran}");
    shared
        .kubectl(&["get", "serviceaccount", "needed", "-n", name], "")
        .exits(0);

    let ran = delete(&shared, name, &["--wait=false", "-o", "json"], &input).exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["summary"]["deleting"], 1, "{ran}");
    assert_eq!(document["summary"]["deleted"], 1, "{ran}");
    // Once the guardian lets go, the waiting run is over by itself.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| delete(&shared, name, &[], &input));
        shared
            .kubectl(
                &[
                    "patch",
                    "configmap",
                    "held",
                    "-n",
                    name,
                    "-p",
                    r#"{"metadata":{"finalizers":null}}"#,
                ],
                "",
            )
            .exits(0);
        waiting.join().unwrap().exits(0);
    });
    shared
        .kubectl(&["get", "configmap", "held", "-n", name], "")
        .fails_naming(1, &["not found"]);
}

#[test]
fn a_namespace_says_what_keeps_it() {
    let shared = Shared::get();
    let name = format!("stuck-{}", std::process::id());
    let input = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
    shared.kubectl(&["create", "-f", "-"], &input).exits(0);
    shared
        .kubectl(&["create", "-n", &name, "-f", "-"], &map("held"))
        .exits(0);
    let patch = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        shared
            .kubectl(
                &["patch", "configmap", "held", "-n", &name, "-p", &patch],
                "",
            )
            .exits(0)
    };
    patch(r#"["example.com/guard"]"#);
    // The namespace controller needs some seconds to see what is left.
    let words = ["delete", "-f", "-", "--timeout", "12s"];
    shared.kapply(&words, &input).fails_naming(
        4,
        &[
            "namespace/stuck",
            "configmaps. has 1 resource instances",
            "example.com/guard in 1 resource instances",
        ],
    );
    patch("null");
    shared.kapply(&["delete", "-f", "-"], &input).exits(0);
    shared
        .kubectl(&["get", "namespace", &name], "")
        .fails_naming(1, &["not found"]);
}

#[test]
fn a_whole_set_goes_and_its_parent_last() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "whole");
    let name = &namespace.name;
    let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
    let apply = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        "shop",
        "--prune",
    ];
    shared
        .kapply(&apply, &format!("{}{}{claim}", map("a"), map("b")))
        .exits(0);
    shared
        .kubectl(&["create", "-n", name, "-f", "-"], &map("bystander"))
        .exits(0);
    let words = ["delete", "--applyset", "shop", "-n", name];
    shared.kapply(&words, "").fails_naming(
        5,
        &[
            "persistentvolumeclaim/data",
            "--allow-prune=pvcs",
            "--orphan",
        ],
    );
    // What is kept keeps the set.
    shared
        .kubectl(
            &[
                "annotate",
                "configmap",
                "a",
                "-n",
                name,
                "kapply.dev/prune=disabled",
            ],
            "",
        )
        .exits(0);
    let with_data = [&words[..], &["--allow-prune=pvcs"]].concat();
    let ran = shared.kapply(&with_data, "").exits(0);
    assert!(
        ran.stdout.contains("configmap/a kept") && ran.stdout.contains("configmap/b deleted"),
        "{ran}"
    );
    let parent = shared.get_json(&["secret", "shop", "-n", name]);
    assert_eq!(
        parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"],
        "ConfigMap"
    );
    shared
        .kubectl(
            &[
                "annotate",
                "configmap",
                "a",
                "-n",
                name,
                "kapply.dev/prune-",
            ],
            "",
        )
        .exits(0);
    let ran = shared.kapply(&words, "").exits(0);
    assert!(
        positions(&ran.stdout, &["configmap/a deleted", "secret/shop deleted"]).is_sorted(),
        "{ran}"
    );
    shared
        .kubectl(&["get", "configmap", "bystander", "-n", name], "")
        .exits(0);
    shared
        .kapply(&words, "")
        .fails_naming(2, &["there is no such set"]);
}

#[test]
fn an_orphaned_set_leaves_its_members() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "orphan");
    let name = &namespace.name;
    let apply = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        "shop",
        "--prune",
    ];
    shared
        .kapply(&apply, &format!("{}{}", map("a"), map("b")))
        .exits(0);
    let words = ["delete", "--applyset", "shop", "-n", name, "--orphan"];
    let dry = shared
        .kapply(&[&words[..], &["--dry-run"]].concat(), "")
        .exits(0);
    assert!(
        dry.stdout.contains("configmap/a released (namespace"),
        "{dry}"
    );
    shared
        .kubectl(&["get", "secret", "shop", "-n", name], "")
        .exits(0);
    shared.kapply(&words, "").exits(0);
    for map in ["a", "b"] {
        let object = shared.get_json(&["configmap", map, "-n", name]);
        assert_eq!(
            object["metadata"]["labels"]["applyset.kubernetes.io/part-of"],
            Value::Null,
            "{object}"
        );
    }
    shared
        .kubectl(&["get", "secret", "shop", "-n", name], "")
        .fails_naming(1, &["not found"]);
}
