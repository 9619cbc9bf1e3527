//! What an account may not do is said before anything is sent.

use serde_json::json;

use super::{Place, config_map, secret};

#[test]
fn what_is_not_permitted_is_said_before_anything_is_sent() {
    let place = Place::new("preflight");
    let admin = place.file("admin", &place.admin.to_string());
    let robot = place.robot();
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [config_map("c"), secret(),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}]});
    let flags = ["--as", &robot, "--preflight"];
    let ran = place.apply(&admin, &objects, &flags).exits(2);
    let missing = format!(
        "user \"{robot}\" may not create, get, patch secrets in namespace {}",
        place.namespace.name
    );
    for word in [missing.as_str(), "nothing was sent", "kind: Role"] {
        assert!(ran.stderr.contains(word), "no word of {word:?}: {ran}");
    }
    assert!(!ran.stderr.contains("configmaps"), "{ran}");
    let left = [
        "-n",
        &place.namespace.name,
        "configmaps",
        "--field-selector=metadata.name=c",
    ];
    assert_eq!(place.shared.get_json(&left)["items"], json!([]));
    // The roles that it wrote are enough.
    let roles = ran.stderr.split_once("---\n").unwrap().1;
    place.shared.kubectl(&["apply", "-f", "-"], roles).exits(0);
    let binding = format!("--serviceaccount={}:robot", place.namespace.name);
    let bind = [
        "-n",
        &place.namespace.name,
        "create",
        "rolebinding",
        "granted",
        "--role=kapply",
        &binding,
    ];
    place.shared.kubectl(&bind, "").exits(0);
    place.apply(&admin, &objects, &flags).exits(0);
}

#[test]
fn a_set_needs_permissions_for_all_that_its_parent_names() {
    let place = Place::new("preflight-set");
    let admin = place.file("admin", &place.admin.to_string());
    let robot = place.robot();
    let set = ["--applyset", "shop", "--prune"];
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [config_map("c"), secret()]});
    place.apply(&admin, &objects, &set).exits(0);
    place.grant(
        &json!({"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"]}),
    );
    // Only the parent says now that Secrets are to be looked through.
    let asked = [&set[..], &["--as", &robot, "--preflight"]].concat();
    let ran = place.apply(&admin, &config_map("c"), &asked).exits(2);
    for kind in ["configmaps", "secrets"] {
        let missing = format!("may not create, delete, list, patch {kind} in namespace");
        assert!(
            ran.stderr.contains(&missing),
            "no word of {missing:?}: {ran}"
        );
    }
    let run = |words: &[&str], input: &str| {
        let base = ["-n", &place.namespace.name, "--as", &robot, "--preflight"];
        let words = [words, &base].concat();
        let mut command = place.shared.kapply_command(&words);
        command.env("KUBECONFIG", &admin);
        e2e::run(&mut command, input)
    };
    let of_set = ["delete", "--applyset", "shop"];
    let ran = run(&of_set, "").exits(2);
    assert!(ran.stderr.contains("nothing was sent"), "{ran}");
    let ran = run(&["delete", "-f", "-"], &secret().to_string()).exits(2);
    assert!(ran.stderr.contains("may not delete secrets"), "{ran}");
    let ran = run(&["plan", "-f", "-"], &secret().to_string()).exits(2);
    assert!(
        ran.stderr.contains("may not create, patch secrets"),
        "{ran}"
    );
    place
        .grant(&json!({"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["*"]}));
    run(&of_set, "").exits(0);
}

#[test]
fn a_role_may_be_limited_to_names() {
    let place = Place::new("names");
    place.grant(&json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get", "patch"]}));
    let admin = place.file("admin", &place.admin.to_string());
    let robot = place.robot();
    let ran = place
        .apply(&admin, &secret(), &["--as", &robot, "--preflight"])
        .exits(2);
    assert!(ran.stderr.contains("may not create secrets"), "{ran}");
    place.grant(
        &json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get", "patch"]}),
    );
    place
        .apply(&admin, &secret(), &["--as", &robot, "--preflight"])
        .exits(0);
}
