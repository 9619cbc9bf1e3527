//! Sets: what kapply and kubectl make of each other's, what is pruned and what
//! is not, and that no run, however it ends, loses a member.

#[path = "kapply_set/guards.rs"]
mod guards;
#[path = "kapply_set/killed.rs"]
mod killed;
#[path = "kapply_set/parents.rs"]
mod parents;
#[path = "kapply_set/turns.rs"]
mod turns;

use std::{collections::BTreeSet, fmt::Write as _};

use e2e::{Namespace, Ran, Shared};
use serde_json::Value;

/// `ConfigMaps` of these names, in the default namespace of the command.
fn maps(names: &[&str]) -> String {
    let mut input = String::new();
    for name in names {
        writeln!(
            input,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{by: {name}}}"
        )
        .unwrap();
    }
    input
}

/// Applies an input as the set `shop` and prunes.
fn apply(shared: &Shared, namespace: &str, more: &[&str], input: &str) -> Ran {
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        namespace,
        "--applyset",
        "shop",
        "--prune",
    ];
    shared.kapply(&[&words, more].concat(), input)
}

/// The same with kubectl.
fn kubectl_apply(shared: &Shared, namespace: &str, more: &[&str], input: &str) -> Ran {
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        namespace,
        "--applyset=shop",
        "--prune",
    ];
    shared.kubectl(&[&words, more].concat(), input)
}

/// The objects of a kind that a command like `kubectl get` finds, without the
/// one that every namespace has.
fn names(shared: &Shared, words: &[&str]) -> BTreeSet<String> {
    let list = shared.get_json(words);
    let items = list["items"].as_array().unwrap();
    let names = items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name != "kube-root-ca.crt").collect()
}

fn config_maps(shared: &Shared, namespace: &str) -> BTreeSet<String> {
    names(shared, &["configmaps", "-n", namespace])
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn annotation(shared: &Shared, namespace: &str, name: &str) -> Value {
    let parent = shared.get_json(&["secret", "shop", "-n", namespace]);
    parent["metadata"]["annotations"][format!("applyset.kubernetes.io/{name}")].clone()
}

/// The members as kapply counts them.
fn members(shared: &Shared, namespace: &str) -> BTreeSet<String> {
    let words = [
        "status",
        "--applyset",
        "shop",
        "-n",
        namespace,
        "-o",
        "json",
    ];
    let ran = shared.kapply(&words, "").exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let objects = document["objects"].as_array().unwrap();
    objects
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A CRD `widgets.GROUP` with these labels.
fn definition(group: &str, scope: &str, labels: &str) -> String {
    format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}, labels: {{{labels}}}}}
spec:
  group: {group}
  scope: {scope}
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

#[test]
fn a_dry_run_says_it_all_and_changes_nothing() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "dry");
    let name = &namespace.name;
    let ran = apply(&shared, name, &["--dry-run"], &maps(&["a"])).exits(0);
    assert!(ran.stdout.contains("configmap/a created"), "{ran}");
    assert_eq!(names(&shared, &["secrets", "-n", name]), set(&[]));
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let before = shared.get_json(&["secret", "shop", "-n", name]);
    let ran = apply(&shared, name, &["--dry-run"], &maps(&["a"])).exits(0);
    assert!(
        ran.stdout.contains("configmap/b pruned (namespace") && ran.stdout.contains("(dry run)"),
        "{ran}"
    );
    assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
    assert_eq!(shared.get_json(&["secret", "shop", "-n", name]), before);
}

#[test]
fn status_and_sets_say_what_is_there() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "status");
    let name = &namespace.name;
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let status = |more: &[&str], input: &str| {
        let words = ["status", "--applyset", "shop", "-n", name];
        shared.kapply(&[&words, more].concat(), input)
    };
    status(&[], "").exits(0);
    status(&["-f", "-"], &maps(&["a", "b"])).exits(0);
    let ran = status(&["-f", "-"], &maps(&["a", "new"])).exits(1);
    assert!(ran.stdout.contains("configmap/new missing"), "{ran}");
    assert!(
        ran.stdout.contains("configmap/b ready") && ran.stdout.contains("left over"),
        "{ran}"
    );
    shared
        .kubectl(
            &[
                "patch",
                "configmap",
                "a",
                "-n",
                name,
                "-p",
                r#"{"data":{"by":"hand"}}"#,
            ],
            "",
        )
        .exits(0);
    let ran = status(&["-f", "-"], &maps(&["a", "b"])).exits(1);
    assert!(
        ran.stdout
            .contains("overruled: .data.by by \"kubectl-patch\""),
        "{ran}"
    );
    let ran = shared
        .kapply(&["sets", "-n", name, "-o", "json"], "")
        .exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    // Parents that belong to no namespace are listed as well, and other tests have some.
    let sets = document["sets"].as_array().unwrap();
    let here: Vec<_> = sets
        .iter()
        .filter(|set| set["parent"]["namespace"] == name.as_str())
        .collect();
    assert_eq!(here.len(), 1, "{ran}");
    assert_eq!(here[0]["members"], 2);
    assert_eq!(here[0]["parent"]["name"], "shop");
    let nothing = ["status", "--applyset", "nothing", "-n", name];
    shared
        .kapply(&nothing, "")
        .fails_naming(2, &["there is no such set"]);
}
