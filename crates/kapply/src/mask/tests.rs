//! What a mask hides, and what it leaves readable.

use serde_json::json;

use super::*;
use crate::problem::Place;

fn secret() -> Object {
    let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "data": {"password": "hunter2-not-base64", "pin": 4711}, "stringData": {"token": "abc"}});
    Object {
        value,
        place: Place::file("f"),
        document: 0,
    }
}

#[test]
fn equal_values_have_equal_numbers() {
    let mask = Mask::default();
    let masked = mask.object(&json!({"apiVersion": "v1", "kind": "Secret",
        "data": {"a": "aHVudGVyMg==", "b": "b3RoZXI=", "bad": "%%%", "none": null},
        "stringData": {"c": "hunter2", "d": ""}}));
    assert_eq!(
        masked["data"],
        json!({"a": "<hidden 1>", "b": "<hidden 2>", "bad": "<hidden 3>", "none": null})
    );
    assert_eq!(
        masked["stringData"],
        json!({"c": "<hidden 1>", "d": "<hidden 4>"})
    );
    let wrong = mask.object(
        &json!({"apiVersion": "v1", "kind": "Secret", "data": "hunter2",
        "stringData": {"deep": {"x": "hunter2"}}}),
    );
    assert_eq!(wrong["data"], "<hidden 1>");
    assert_eq!(wrong["stringData"], json!({"deep": "<hidden 5>"}));
}

#[test]
fn copies_in_annotations_are_hidden() {
    let masked = Mask::default().object(&json!({"apiVersion": "v1", "kind": "Secret",
    "metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"aHVudGVyMi1sb25n\"}}",
        "example.com/copy": "a=aHVudGVyMi1sb25n hunter2-long",
        "example.com/plain": "stays"}},
    "data": {"a": "aHVudGVyMi1sb25n"}}));
    let annotations = masked["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations["example.com/copy"], "a=<hidden 2> <hidden 2>");
    assert_eq!(annotations["example.com/plain"], "stays");
    assert_eq!(
        annotations["kubectl.kubernetes.io/last-applied-configuration"],
        "<hidden 1>"
    );
}

#[test]
fn values_never_pass() {
    let mask = Mask::default();
    for message in [
        r#"Secret "s" is invalid: data: Invalid value: "{\"password\":\"hunter2-not-base64\"}": no"#,
        "failed: .data.pin: expected string, got &value.valueUnstructured{Value:4711}",
        "decoding hunter2-not-base64 failed, abc too",
        r#"unterminated "hunter2-not-base64"#,
        "a piece: ...er2-not-b... of it",
        "in base64 aHVudGVyMi1ub3QtYmFzZTY0, YWJj",
        "bytes [104 117 110 116 101 114 50 45 110 111 116 45 98 97 115 101 54 52] [97 98 99]",
    ] {
        let masked = mask.message(&secret(), None, message);
        for value in [
            "hunter2",
            "4711",
            "abc",
            "er2-not-b",
            "aHVud",
            "YWJj",
            "97 98",
        ] {
            assert!(!masked.contains(value), "{masked}");
        }
    }
    assert_eq!(
        mask.message(
            &secret(),
            None,
            "decoding hunter2-not-base64 failed, <hidden> abc"
        ),
        "decoding <hidden 1> failed, <hidden> <hidden 3>"
    );
}

#[test]
fn characters_of_broken_json_are_hidden() {
    let message = |quoted: &str| format!("invalid character {quoted} looking for a value");
    for quoted in ["'h'", r"'\''", r"'\n'"] {
        let masked = Mask::default().message(&secret(), None, &message(quoted));
        assert_eq!(masked, message("'*'"), "{quoted}");
    }
}

#[test]
fn what_explains_stays() {
    let mask = Mask::default();
    for message in [
        r#"Secret "s" is invalid: key "password""#,
        r#"admission webhook "policy.example.com" denied the request: no"#,
        r#"secrets "s" is forbidden: User "dev" cannot patch resource "secrets" in API group "" in the namespace "shop""#,
        ".data.password: field not declared in schema",
    ] {
        assert_eq!(mask.message(&secret(), None, message), message);
    }
}

#[test]
fn other_kinds_keep_their_messages_unless_a_rule_names_them() {
    let mut object = secret();
    object.value["kind"] = "ConfigMap".into();
    assert_eq!(
        Mask::default().message(&object, None, "got \"abc\""),
        "got \"abc\""
    );
    let mask = Mask::new(vec!["ConfigMap=/stringData".parse().unwrap()]);
    assert_eq!(
        mask.message(&object, None, "got \"abc\""),
        "got \"<hidden 1>\""
    );
}

#[test]
fn copies_of_what_is_public_spoil_no_message() {
    let copy = r#"{"kind":"Deployment","spec":{"template":{"containers":[]}}}"#;
    let mut object = secret();
    object.value = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": copy}}});
    let mask = Mask::default();
    let message = "Deployment is invalid: spec.template.containers: Required value";
    assert_eq!(mask.message(&object, None, message), message);
    assert_eq!(mask.text(message), message);
    let whole = format!("annotations: {copy}");
    assert_eq!(
        mask.message(&object, None, &whole),
        "annotations: <hidden 1>"
    );
    // What a rule hides may be in the copy as it was before.
    let mask = Mask::new(vec!["Deployment.apps=/spec/token".parse().unwrap()]);
    let masked = mask.message(&object, None, "got \"containers\"");
    assert!(!masked.contains("containers"), "{masked}");
}

#[test]
fn denials_about_secrets_that_were_not_read_lose_their_words() {
    use kube::core::GroupVersionKind;

    let unread = |kind: &str, message: &str| {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
        Mask::default().unread(&resource, message)
    };
    let webhook = r#"admission webhook "a.b" denied the request: it is hunter2"#;
    assert_eq!(
        unread("Secret", webhook),
        r#"admission webhook "a.b" denied the request; its words are not shown, because they may quote the Secret"#
    );
    assert_eq!(unread("ConfigMap", webhook), webhook);
    let rbac = r#"secrets "s" is forbidden: User "dev" cannot delete resource "secrets""#;
    assert_eq!(unread("Secret", rbac), rbac);
}

#[test]
fn text_of_anywhere_is_scrubbed() {
    let mask = Mask::default();
    mask.learn(&secret().value);
    assert_eq!(
        mask.text("login hunter2-not-base64 ok"),
        "login <hidden 1> ok"
    );
}
