//! An object in a version that its definition gets with the same input.

use serde_json::{Value, json};

use super::{Place, list};

#[test]
fn an_object_of_a_version_that_comes_with_the_input_is_updated() {
    let place = Place::new("versions");
    let group = format!("{}.example.com", place.namespace.name);
    let definition = |versions: &[&str]| {
        let version = |name: &&str| {
            json!({"name": name, "served": true, "storage": *name == "v1", "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}}})
        };
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("gadgets.{group}")}, "spec": {"group": group, "scope": "Namespaced",
                "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
                "versions": versions.iter().map(version).collect::<Vec<_>>()}})
    };
    let gadget = |version: &str, value: Value| json!({"apiVersion": format!("{group}/{version}"), "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"a": value}});
    let before = [definition(&["v1"]), gadget("v1", json!("1"))];
    place.apply(&before, &[]).exits(0);

    let plan = |objects: &[Value]| {
        let words = ["diff", "-n", &place.namespace.name, "-f", "-", "-o", "json"];
        let ran = place.shared.kapply(&words, &list(objects));
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["objects"][1].clone()
    };
    let after = [definition(&["v1", "v2"]), gadget("v2", json!("2"))];
    let planned = plan(&after);
    assert_eq!(planned["action"], "update", "{planned}");
    let ran = place.apply(&after, &[]).exits(0);
    assert!(ran.stdout.contains("2 configured"), "{ran}");
    assert!(!ran.stdout.contains("somebody else"), "{ran}");
    let broken = plan(&[definition(&["v1", "v3"]), gadget("v3", json!(3))]);
    assert_eq!(broken["blocked"], "invalid", "{broken}");
    place
        .shared
        .kapply(&["delete", "-f", "-"], &definition(&["v1"]).to_string());
}
