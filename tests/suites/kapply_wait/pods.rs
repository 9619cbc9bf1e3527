//! Pods of more than one container, and pods that something beside their
//! containers holds back.

use serde_json::{Value, json};

use super::Place;

/// A probe that never succeeds.
fn never() -> Value {
    json!({"httpGet": {"path": "/nope", "port": 5000}, "periodSeconds": 1})
}

#[test]
fn one_that_waits_hides_no_other_one_that_crashes() {
    let place = Place::new("pair");
    let mut pair = place.deployment("web", &json!({"readinessProbe": never()}));
    let mut proxy = place.container(&json!({"args": ["--no-such-flag"], "readinessProbe": null}));
    proxy["name"] = "proxy".into();
    let containers = &mut pair["spec"]["template"]["spec"]["containers"];
    containers.as_array_mut().unwrap().push(proxy);
    place.apply(&[pair], &["--timeout", "4m"]).fails_within(
        60,
        &["container proxy: ", "exit code 2", "unexpected argument"],
    );
}

#[test]
fn what_it_waits_for_is_told_when_the_time_is_up() {
    let place = Place::new("held");
    let init = |name: &str, change: &Value| {
        let mut web = place.deployment(name, &Value::Null);
        let mut first = place.container(change);
        first["name"] = "first".into();
        web["spec"]["template"]["spec"]["initContainers"] = json!([first]);
        web
    };
    let endless = init("endless", &json!({"readinessProbe": null}));
    let sidecar = init(
        "sidecar",
        &json!({"restartPolicy": "Always", "env": [{"name": "PORT", "value": "5001"}],
            "readinessProbe": {"httpGet": {"path": "/nope", "port": 5001}, "periodSeconds": 1}}),
    );
    let mut gated = place.deployment("gated", &Value::Null);
    gated["spec"]["template"]["spec"]["readinessGates"] =
        json!([{"conditionType": "example.com/balanced"}]);
    let waited = place.apply(&[endless, sidecar, gated], &["--timeout", "40s"]);
    assert_eq!(waited.ran.code, Some(4), "{}", waited.ran);
    assert_eq!(
        waited.document["summary"]["wait"], "timed out",
        "{}",
        waited.ran
    );
    for words in [
        "init container first: it runs, and the pod waits for its end",
        "sidecar container first: it runs, but is not ready yet: Readiness probe failed",
        "ReadinessGatesNotReady: corresponding condition of pod readiness gate \"example.com/balanced\" does not exist.",
    ] {
        assert!(
            waited.ran.stderr.contains(words),
            "no word of {words:?}: {}",
            waited.ran
        );
    }
}
