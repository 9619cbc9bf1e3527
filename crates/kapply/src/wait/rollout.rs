//! Readiness of the workloads that roll out pods.

#[cfg(test)]
mod tests;

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
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let ready = count("readyReplicas");
    // Servers that do not count these leave it out instead of writing 0.
    let available = number(object, "/status/availableReplicas").unwrap_or(ready);
    if let Some(pending) = too_few_or_many(wanted, count("replicas"), ready, available) {
        return pending;
    }
    if updates_on_delete(object) {
        return Status::ready(format!("{wanted} of {wanted} replicas ready{ON_DELETE}"));
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
        if count("updatedReplicas") >= wanted {
            return Status::pending("all replicas updated; its controller has not noted it yet");
        }
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
    let on_delete = updates_on_delete(object);
    for (field, word) in [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ] {
        if count(field) < wanted && !(on_delete && word == "updated") {
            return Status::pending(format!("{} of {wanted} pods {word}", count(field)));
        }
    }
    let note = if on_delete { ON_DELETE } else { "" };
    Status::ready(format!("{wanted} of {wanted} pods ready{note}"))
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

/// What is said of a set whose pods are replaced when somebody deletes them. They
/// have to be ready all the same, of whatever revision they are.
const ON_DELETE: &str = "; updates wait for pods to be deleted (OnDelete)";

pub(super) fn updates_on_delete(object: &Value) -> bool {
    object.pointer("/spec/updateStrategy/type") == Some(&"OnDelete".into())
}

/// A workload whose controller never wrote a status says nothing yet; that a
/// written one is current was checked before.
fn unseen(object: &Value) -> Option<Status> {
    number(object, "/status/observedGeneration")
        .is_none()
        .then(|| Status::pending("its controller has not seen it yet"))
}
