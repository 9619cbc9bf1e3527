//! Readiness of the workloads that roll out pods.

use serde_json::Value;

use super::{
    Status,
    readiness::{condition, number},
};

/// Everything is updated, available and ready, and nothing old is left.
pub(super) fn deployment(object: &Value) -> Status {
    if let Some(unseen) = unseen(object) {
        return unseen;
    }
    let progressing = condition(object, "Progressing");
    if let Some(late) = progressing
        .as_ref()
        .filter(|condition| condition.reason == "ProgressDeadlineExceeded")
    {
        return Status::failed(format!(
            "the rollout made no progress within its deadline: {}",
            late.message
        ));
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let (replicas, updated) = (count("replicas"), count("updatedReplicas"));
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Status::pending("the rollout is paused (spec.paused)");
    }
    if updated < wanted {
        return Status::pending(format!("{updated} of {wanted} replicas updated"));
    }
    if replicas > updated {
        return Status::pending(format!("{} old replicas still to go", replicas - updated));
    }
    for (field, word) in [
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ] {
        if count(field) < updated.max(wanted) {
            return Status::pending(format!(
                "{} of {} replicas {word}",
                count(field),
                updated.max(wanted)
            ));
        }
    }
    if replicas > wanted {
        return Status::pending(format!(
            "{} surplus replicas still to go",
            replicas - wanted
        ));
    }
    let settled = progressing.is_none_or(|condition| {
        condition.is("True") && condition.reason == "NewReplicaSetAvailable"
    });
    if !settled && number(object, "/spec/progressDeadlineSeconds").is_some() {
        return Status::pending("the rollout is not complete yet");
    }
    match condition(object, "Available") {
        Some(available) if !available.is("True") => {
            Status::pending(format!("not available: {}", available.text()))
        }
        _ => Status::ready(format!("{wanted} of {wanted} replicas ready")),
    }
}

/// All pods are ready and of the revision that the update strategy wants.
pub(super) fn stateful_set(object: &Value) -> Status {
    if let Some(unseen) = unseen(object) {
        return unseen;
    }
    if object
        .pointer("/spec/updateStrategy/type")
        .and_then(Value::as_str)
        == Some("OnDelete")
    {
        return Status::ready("updates wait for pods to be deleted (OnDelete)");
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let ready = count("readyReplicas");
    // Servers that do not count these leave it out instead of writing 0.
    let available = number(object, "/status/availableReplicas").unwrap_or(ready);
    if let Some(pending) = too_few_or_many(wanted, count("replicas"), ready, available) {
        return pending;
    }
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if partition > 0 {
        let due = (wanted - partition).max(0);
        if count("updatedReplicas") < due {
            return Status::pending(format!(
                "{} of {due} replicas updated (partition {partition})",
                count("updatedReplicas")
            ));
        }
        return Status::ready(format!(
            "{due} of {wanted} replicas updated, as the partition says"
        ));
    }
    let revision = |field: &str| {
        object
            .pointer(&format!("/status/{field}"))
            .and_then(Value::as_str)
    };
    let current = number(object, "/status/currentReplicas").unwrap_or(wanted);
    if revision("currentRevision") != revision("updateRevision") || current < wanted {
        return Status::pending(format!(
            "{} of {wanted} replicas updated",
            count("updatedReplicas")
        ));
    }
    Status::ready(format!("{wanted} of {wanted} replicas ready"))
}

/// Every node that should run a pod runs a current and ready one.
pub(super) fn daemon_set(object: &Value) -> Status {
    if let Some(unseen) = unseen(object) {
        return unseen;
    }
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let Some(wanted) = number(object, "/status/desiredNumberScheduled") else {
        return Status::pending("its controller has not counted its nodes yet");
    };
    if object
        .pointer("/spec/updateStrategy/type")
        .and_then(Value::as_str)
        == Some("OnDelete")
    {
        return Status::ready("updates wait for pods to be deleted (OnDelete)");
    }
    for (field, word) in [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ] {
        if count(field) < wanted {
            return Status::pending(format!("{} of {wanted} pods {word}", count(field)));
        }
    }
    Status::ready(format!("{wanted} of {wanted} pods ready"))
}

/// All replicas are there and ready.
pub(super) fn replica_set(object: &Value) -> Status {
    if let Some(unseen) = unseen(object) {
        return unseen;
    }
    let failure = condition(object, "ReplicaFailure");
    if let Some(failure) = failure.filter(|failure| failure.is("True")) {
        return Status::pending(format!("not all replicas: {}", failure.text()));
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    if count("fullyLabeledReplicas") < wanted {
        return Status::pending(format!(
            "{} of {wanted} replicas created",
            count("fullyLabeledReplicas")
        ));
    }
    too_few_or_many(
        wanted,
        count("replicas"),
        count("readyReplicas"),
        count("availableReplicas"),
    )
    .unwrap_or_else(|| Status::ready(format!("{wanted} of {wanted} replicas ready")))
}

fn too_few_or_many(wanted: i64, replicas: i64, ready: i64, available: i64) -> Option<Status> {
    for (count, word) in [
        (replicas, "created"),
        (ready, "ready"),
        (available, "available"),
    ] {
        if count < wanted {
            return Some(Status::pending(format!(
                "{count} of {wanted} replicas {word}"
            )));
        }
    }
    (replicas > wanted).then(|| {
        Status::pending(format!(
            "{} surplus replicas still to go",
            replicas - wanted
        ))
    })
}

/// A workload whose controller never wrote a status says nothing yet; that a
/// written one is current was checked before.
fn unseen(object: &Value) -> Option<Status> {
    number(object, "/status/observedGeneration")
        .is_none()
        .then(|| Status::pending("its controller has not seen it yet"))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(readiness(&set(0, 3)).state, State::Pending);
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
}
