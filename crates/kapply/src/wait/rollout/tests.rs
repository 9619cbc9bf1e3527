//! Workloads as their controllers describe them, and how far each is.

use serde_json::json;

use super::*;
use crate::wait::{State, readiness::readiness};

fn deployment_with(status: &Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 3},
        "spec": {"replicas": 3, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 3}});
    for (key, value) in status.as_object().unwrap() {
        object["status"][key] = value.clone();
    }
    object
}

fn progressing(reason: &str) -> Value {
    json!([{"type": "Progressing", "status": "True", "reason": reason}, {"type": "Available", "status": "True"}])
}

#[test]
fn a_deployment_is_ready_when_nothing_old_is_left() {
    let full = |replicas: i64, reason: &str| {
        deployment_with(
            &json!({"replicas": replicas, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3,
            "conditions": progressing(reason)}),
        )
    };
    assert_eq!(
        readiness(&full(3, "NewReplicaSetAvailable")).state,
        State::Ready
    );
    assert_eq!(
        readiness(&full(3, "ReplicaSetUpdated")).state,
        State::Pending
    );
    assert_eq!(
        readiness(&full(4, "NewReplicaSetAvailable")).message,
        "1 old replicas still to go"
    );
    assert_eq!(
        readiness(&full(3, "ProgressDeadlineExceeded")).state,
        State::Failed
    );
}

#[test]
fn a_deployment_that_was_not_seen_is_pending() {
    let mut object = deployment_with(&json!({"updatedReplicas": 3}));
    object["metadata"]["generation"] = json!(4);
    assert_eq!(readiness(&object).state, State::Pending);
    object["status"] = json!({});
    assert_eq!(readiness(&object).state, State::Pending);
}

#[test]
fn a_stateful_set_follows_its_partition() {
    let set = |partition: i64, updated: i64| {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"generation": 1},
            "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
            "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                "updatedReplicas": updated, "currentRevision": "a", "updateRevision": "b"}})
    };
    assert_eq!(readiness(&set(2, 1)).state, State::Ready);
    assert_eq!(readiness(&set(1, 1)).state, State::Pending);
    assert_eq!(
        readiness(&set(0, 3)).message,
        "all replicas updated; its controller has not noted it yet"
    );
    assert_eq!(readiness(&set(0, 2)).message, "2 of 3 replicas updated");
    let mut mixed = set(0, 3);
    mixed["status"]["updateRevision"] = json!("a");
    assert_eq!(readiness(&mixed).state, State::Ready);
    mixed["status"]["currentReplicas"] = json!(2);
    assert_eq!(readiness(&mixed).state, State::Pending);
    let mut uncounted = set(2, 1);
    let status = uncounted["status"].as_object_mut().unwrap();
    status.shift_remove("availableReplicas");
    assert_eq!(readiness(&uncounted).state, State::Ready);
}

#[test]
fn a_replica_set_has_all_replicas_and_no_failure() {
    let mut set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 2}, "status": {
        "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "fullyLabeledReplicas": 2}});
    assert_eq!(readiness(&set).state, State::Ready);
    set["status"]["conditions"] =
        json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]);
    assert_eq!(readiness(&set).message, "not all replicas: FailedCreate");
}

#[test]
fn a_daemon_set_covers_its_nodes() {
    let set = |ready: i64| {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"generation": 1}, "status": {
            "observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": ready}})
    };
    assert_eq!(readiness(&set(2)).state, State::Ready);
    assert_eq!(readiness(&set(1)).message, "1 of 2 pods ready");
    let mut uncounted = set(2);
    uncounted["status"] = json!({"observedGeneration": 1});
    assert_eq!(readiness(&uncounted).state, State::Pending);
}

#[test]
fn pods_have_to_be_ready_also_where_nobody_replaces_them() {
    let set = |ready: i64| {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"generation": 2},
            "spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
            "status": {"observedGeneration": 2, "replicas": 3, "readyReplicas": ready, "availableReplicas": ready,
                "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}})
    };
    assert_eq!(readiness(&set(2)).message, "2 of 3 replicas ready");
    assert_eq!(readiness(&set(3)).state, State::Ready);
    let nodes = |ready: i64| {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"generation": 2},
            "spec": {"updateStrategy": {"type": "OnDelete"}},
            "status": {"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                "updatedNumberScheduled": 0, "numberAvailable": ready, "numberReady": ready}})
    };
    assert_eq!(readiness(&nodes(1)).message, "1 of 2 pods available");
    assert_eq!(readiness(&nodes(2)).state, State::Ready);
}
