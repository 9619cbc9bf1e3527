//! What cannot succeed fails at once and says why.

use e2e::images;
use serde_json::{Value, json};

use super::Place;

/// Far more than any of these needs: what takes this long was not noticed.
const TIMEOUT: [&str; 2] = ["--timeout", "4m"];

fn bad_flag() -> Value {
    json!({"args": ["--no-such-flag"]})
}

#[test]
fn an_image_that_is_nowhere() {
    let place = Place::new("pull");
    let broken = place.deployment("web", &json!({"image": "nowhere.invalid/none:1"}));
    let waited = place.apply(&[broken], &TIMEOUT).fails_within(
        90,
        &[
            "ImagePullBackOff",
            "nowhere.invalid/none:1",
            "what to do: check the registry",
        ],
    );
    let deployment = waited.of("Deployment");
    assert_eq!(deployment["state"], "failed");
    assert!(!deployment["advice"].is_null(), "{deployment}");
    assert!(deployment["elapsedMs"].as_u64().unwrap() < 90_000);
}

#[test]
fn an_image_that_is_no_image() {
    let place = Place::new("name");
    let broken = place.deployment("web", &json!({"image": "Not A Name"}));
    place
        .apply(&[broken], &TIMEOUT)
        .fails_within(30, &["InvalidImageName", "Not A Name"]);
}

#[test]
fn a_crash_loop_shows_its_log_and_no_secret() {
    let place = Place::new("crash");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "stringData": {"password": "hunter2-is-hidden"}});
    let broken = place.deployment("web", &json!({"args": ["--hunter2-is-hidden"]}));
    let waited = place.apply(&[secret, broken], &TIMEOUT).fails_within(
        40,
        &["exit code 2", "log of pod web-", "unexpected argument"],
    );
    assert!(!waited.ran.stderr.contains("hunter2"), "{}", waited.ran);
    assert!(!waited.ran.stdout.contains("hunter2"), "{}", waited.ran);
    let log = &waited.of("Deployment")["logs"][0];
    assert_eq!(log["container"], "main");
}

#[test]
fn a_container_that_takes_more_memory_than_it_may() {
    let place = Place::new("memory");
    let image = images::kdrill(&place.shared);
    // A configuration without an end, read as a whole.
    let broken = place.deployment(
        "web",
        &json!({
            "image": image,
            "args": ["run", "replicas", "--report", "/", "--config", "/dev/zero"],
            "resources": {"limits": {"memory": "64Mi"}},
        }),
    );
    place
        .apply(&[broken], &TIMEOUT)
        .fails_within(60, &["OOMKilled", "raise the container's memory limit"]);
}

#[test]
fn a_command_that_is_not_there() {
    let place = Place::new("command");
    let broken = place.deployment("web", &json!({"command": ["/no/such/file"]}));
    place.apply(&[broken], &TIMEOUT).fails_within(
        60,
        &["/no/such/file", "what to do: check the container's command"],
    );
}

#[test]
fn an_init_container_that_fails() {
    let place = Place::new("init");
    let mut broken = place.deployment("web", &Value::Null);
    let mut init = place.container(&bad_flag());
    init["name"] = "prepare".into();
    init.as_object_mut().unwrap().remove("readinessProbe");
    broken["spec"]["template"]["spec"]["initContainers"] = json!([init]);
    place.apply(&[broken], &TIMEOUT).fails_within(
        40,
        &[
            "init container prepare",
            "exit code 2",
            "unexpected argument",
        ],
    );
}

#[test]
fn a_key_that_a_config_map_does_not_have() {
    let place = Place::new("key");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
    let reference = json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "missing"}}}]});
    let broken = place.deployment("web", &reference);
    place.apply(&[config, broken], &TIMEOUT).fails_within(
        30,
        &[
            "CreateContainerConfigError",
            "couldn't find key missing",
            "ConfigMap",
        ],
    );
}

#[test]
fn a_volume_of_nothing() {
    let place = Place::new("volume");
    let mut broken = place.deployment(
        "web",
        &json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
    );
    broken["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "v", "configMap": {"name": "absent"}}]);
    place
        .apply(&[broken], &TIMEOUT)
        .fails_within(45, &["FailedMount", "configmap \"absent\" not found"]);
}

#[test]
fn a_pod_that_fits_no_node() {
    let place = Place::new("room");
    let broken = place.deployment(
        "web",
        &json!({"resources": {"requests": {"memory": "900Ti"}}}),
    );
    let waited = place.apply(&[broken], &TIMEOUT).fails_within(
        45,
        &[
            "Unschedulable",
            "Insufficient memory",
            "what to do: lower the pod's requests",
        ],
    );
    // Somebody may be adding a node: not before 15 s.
    assert!(waited.of("Deployment")["elapsedMs"].as_u64().unwrap() >= 15_000);
}

#[test]
fn a_quota_that_is_used_up() {
    let place = Place::new("quota");
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}}});
    place.kubectl(&["create", "-f", "-"], &quota.to_string());
    // The quota has to be counted before it counts.
    place.kubectl(
        &[
            "wait",
            "--for=jsonpath={.status.hard.pods}=0",
            "resourcequota/none",
        ],
        "",
    );
    let mut set = place.workload("StatefulSet", "db", &Value::Null);
    set["spec"]["serviceName"] = "db".into();
    let objects = [
        place.deployment("web", &Value::Null),
        set,
        place.workload("DaemonSet", "agent", &Value::Null),
        place.job("task", &["--version"]),
    ];
    let waited = place
        .apply(&objects, &TIMEOUT)
        .fails_within(60, &["exceeded quota: none", "what to do: raise the quota"]);
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "Job"] {
        let text = waited.of(kind).to_string();
        assert!(text.contains("exceeded quota: none"), "{kind}: {text}");
    }
}

#[test]
fn a_quota_of_replica_sets() {
    let place = Place::new("sets-quota");
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"count/replicasets.apps": "0"}}});
    place.kubectl(&["create", "-f", "-"], &quota.to_string());
    let counted = r"--for=jsonpath={.status.hard.count/replicasets\.apps}=0";
    place.kubectl(&["wait", counted, "resourcequota/none"], "");
    place
        .apply(&[place.deployment("web", &Value::Null)], &TIMEOUT)
        .fails_within(
            60,
            &[
                "its replica set cannot be created: exceeded quota: none",
                "what to do: raise the quota",
            ],
        );
}

#[test]
fn a_job_that_fails() {
    let place = Place::new("jobs");
    let job = place.job("migrate", &["--no-such-flag"]);
    place.apply(&[job], &TIMEOUT).fails_within(
        60,
        &[
            "the job failed: BackoffLimitExceeded",
            "exit code 2",
            "unexpected argument",
        ],
    );
}

#[test]
fn a_stateful_set_and_a_daemon_set_that_crash() {
    let place = Place::new("sets");
    let kinds = ["StatefulSet", "DaemonSet"];
    // Nobody replaces pods on deletion that have never run.
    for (kind, update) in kinds
        .map(|kind| [(kind, "rolling"), (kind, "OnDelete")])
        .concat()
    {
        let name = format!("{}-{}", kind.to_lowercase(), update.to_lowercase());
        let mut set = place.workload(kind, &name, &bad_flag());
        if update == "OnDelete" {
            set["spec"]["updateStrategy"] = json!({"type": update});
        }
        if kind == "StatefulSet" {
            set["spec"]["serviceName"] = "db".into();
        }
        place
            .apply(&[set], &TIMEOUT)
            .fails_within(40, &["exit code 2", "unexpected argument"]);
    }
}
