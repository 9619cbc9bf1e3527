//! What gets ready is waited for, whatever was wrong before.

use serde_json::{Value, json};

use super::Place;

const TIMEOUT: [&str; 2] = ["--timeout", "3m"];

#[test]
fn workloads_and_jobs_that_succeed() {
    let place = Place::new("good");
    let mut set = place.workload("StatefulSet", "db", &Value::Null);
    set["spec"]["serviceName"] = "db".into();
    set["spec"]["replicas"] = 2.into();
    let mut suspended = place.job("later", &["--version"]);
    suspended["spec"]["suspend"] = true.into();
    let objects = [
        place.deployment("web", &Value::Null),
        set,
        place.workload("DaemonSet", "agent", &Value::Null),
        place.job("migrate", &["--version"]),
        suspended,
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
               "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
               "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 5000}]}}),
    ];
    let waited = place.apply(&objects, &TIMEOUT).gets_ready();
    assert_eq!(waited.of("Job")["message"], "complete");
    let pods = place
        .shared
        .get_json(&["-n", &place.namespace.name, "pods", "-l", "app=db"]);
    assert_eq!(pods["items"].as_array().unwrap().len(), 2);
}

/// The broken pod is still there when the good rollout begins, and crashes on.
#[test]
fn a_rollout_is_not_blamed_for_the_one_before() {
    let place = Place::new("mended");
    let broken = place.deployment("web", &json!({"args": ["--no-such-flag"]}));
    place
        .apply(std::slice::from_ref(&broken), &TIMEOUT)
        .fails_within(40, &["exit code 2"]);
    let good = place.deployment("web", &Value::Null);
    place
        .apply(std::slice::from_ref(&good), &TIMEOUT)
        .gets_ready();
    // And the other way round: the good pods go on, the rollout fails all the same.
    place
        .apply(&[broken], &TIMEOUT)
        .fails_within(40, &["exit code 2", "unexpected argument"]);
    let pods = place
        .shared
        .get_json(&["-n", &place.namespace.name, "deployment", "web"]);
    assert_eq!(pods["status"]["readyReplicas"], 1);
}

/// Only the config map is mended: the deployment and its crashing pod stay as they are.
#[test]
fn a_crash_of_before_does_not_fail_what_mends_it() {
    let place = Place::new("before");
    let config = |port: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"port": port}});
    let port = json!({"env": [{"name": "PORT", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "port"}}}]});
    let deployment = place.deployment("web", &port);
    place
        .apply(&[config("none"), deployment.clone()], &TIMEOUT)
        .fails_within(40, &["exit code 2"]);
    let waited = place
        .apply(&[config("5000"), deployment], &TIMEOUT)
        .gets_ready();
    assert!(
        waited.ran.stderr.contains("before this run"),
        "{}",
        waited.ran
    );
}

#[test]
fn restarts_that_are_allowed_are_waited_out() {
    let place = Place::new("patient");
    let broken = place.deployment("web", &json!({"args": ["--no-such-flag"]}));
    let waited = place.apply(&[broken], &["--timeout", "6s", "--allow-restarts", "5"]);
    assert_eq!(waited.ran.code, Some(4), "{}", waited.ran);
    assert_eq!(
        waited.document["summary"]["wait"], "timed out",
        "{}",
        waited.ran
    );
}
