//! Admission policies that change what is applied: kapply's own proof and the
//! server's answer have to agree as long as the policy stays.

use std::time::Duration;

use e2e::Shared;
use serde_json::{Value, json};

use super::{Place, config, list};

/// A policy that sets a label of every `ConfigMap` in one namespace.
fn stamping_policy(place: &Place, value: &str) -> [Value; 2] {
    policy(
        place,
        &format!("Object{{metadata: Object.metadata{{labels: {{\"stamp\": \"{value}\"}}}}}}"),
    )
}

/// A policy that merges this into every `ConfigMap` in one namespace.
fn policy(place: &Place, expression: &str) -> [Value; 2] {
    let namespace = &place.namespace.name;
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": namespace}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]},
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": namespace}, "spec": {"policyName": namespace, "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}});
    [policy, binding]
}

/// Waits until the server stamps with this value.
fn stamps(place: &Place, value: &str) {
    let probe = config("probe", &json!({})).to_string();
    Shared::eventually("the policy is in force", Duration::from_mins(1), || {
        let words = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
        let made: Value = serde_json::from_str(&place.kubectl(&words, &probe).stdout).ok()?;
        (made["metadata"]["labels"]["stamp"] == value).then_some(())
    });
}

#[test]
fn what_a_policy_adds_is_no_change_until_the_policy_changes() {
    let place = Place::new("policy");
    let policy = |value: &str| {
        let [policy, binding] = stamping_policy(&place, value);
        place.kubectl(&["apply", "-f", "-"], &list(&[policy, binding]));
        stamps(&place, value);
    };
    policy("one");
    let objects: Vec<_> = (0..5)
        .map(|number| config(&format!("c{number}"), &json!({"k": "v"})))
        .collect();
    place.apply(&objects, &[]).exits(0);
    assert_eq!(
        place.get(&["configmap", "c0"])["metadata"]["labels"]["stamp"],
        "one"
    );

    // What is proved here and what the server says are the same.
    let proved = place.apply(&objects, &["-v"]).exits(0);
    assert!(proved.stdout.contains("5 objects: 5 unchanged"), "{proved}");
    assert!(!proved.stderr.contains("method=PATCH"), "{proved}");
    let asked = place.apply(&objects, &["-v", "--verify=server"]).exits(0);
    assert!(asked.stdout.contains("5 objects: 5 unchanged"), "{asked}");
    assert_eq!(asked.stderr.matches("method=PATCH").count(), 5, "{asked}");

    // Another policy is noticed by asking, and only so.
    policy("two");
    let asked = place.apply(&objects, &["--verify=server"]).exits(0);
    assert!(asked.stdout.contains("5 objects: 5 configured"), "{asked}");
    assert_eq!(
        place.get(&["configmap", "c0"])["metadata"]["labels"]["stamp"],
        "two"
    );

    let kinds = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";
    place.kubectl(&["delete", kinds, &place.namespace.name], "");
}

#[test]
fn what_a_policy_overwrites_is_no_change_for_ever() {
    let place = Place::new("overwrites");
    let objects = policy(&place, "Object{data: {\"k\": \"of the policy\"}}");
    place.kubectl(&["apply", "-f", "-"], &list(&objects));
    let probe = config("probe", &json!({"k": "ours"}));
    Shared::eventually("the policy is in force", Duration::from_mins(1), || {
        let words = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
        let made: Value =
            serde_json::from_str(&place.kubectl(&words, &probe.to_string()).stdout).ok()?;
        (made["data"]["k"] == "of the policy").then_some(())
    });
    let object = config("c", &json!({"k": "ours"}));
    place.apply(std::slice::from_ref(&object), &[]).exits(0);
    assert_eq!(place.get(&["configmap", "c"])["data"]["k"], "of the policy");
    // Nothing that is sent would change it, whatever the manifest says.
    let again = place.apply(std::slice::from_ref(&object), &[]).exits(0);
    assert!(again.stdout.contains("1 object: 1 unchanged"), "{again}");
    let kinds = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";
    place.kubectl(&["delete", kinds, &place.namespace.name], "");
}
