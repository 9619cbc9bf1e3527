//! What keeps a workload's pods from being created at all: a quota, a policy,
//! a service account that is not there.

use serde_json::Value;

use super::{
    container::Rules,
    pods::Neighbourhood,
    readiness::{condition, number},
    trouble::{GRACE, Gravity, Trouble, advice},
};

/// Why there are fewer pods than there should be.
pub(super) fn trouble(
    workload: &Value,
    around: &Neighbourhood<'_>,
    rules: &Rules,
) -> Option<Trouble> {
    if let Some(refused) = no_replica_set(workload) {
        return Some(refused);
    }
    let creator = around.current_set(workload).unwrap_or(workload);
    let uid = creator.pointer("/metadata/uid")?.as_str()?;
    let failure = condition(creator, "ReplicaFailure").filter(|condition| condition.is("True"));
    let message = match failure {
        Some(failure) => failure.message.to_owned(),
        None if workload["kind"] == "Deployment" || workload["kind"] == "ReplicaSet" => {
            return None;
        }
        // The others have no condition for it, but they say it in an event.
        None if !lacks_pods(workload) => return None,
        None => {
            let events = around.events(uid).iter();
            let newest = events
                .filter(|event| event["reason"] == "FailedCreate")
                .filter(|event| !rules.is_before(event.get("lastTimestamp")))
                .max_by_key(|event| event["lastTimestamp"].as_str())?;
            newest["message"].as_str()?.to_owned()
        }
    };
    Some(because(uid, "pods cannot be created", &message))
}

/// Why a deployment has no replica set of its newest revision, if its controller
/// says so. That is all it says then: it does not note which generation it has seen.
pub(super) fn no_replica_set(workload: &Value) -> Option<Trouble> {
    let progressing = condition(workload, "Progressing")?;
    if !progressing.is("False") || progressing.reason != "ReplicaSetCreateError" {
        return None;
    }
    let uid = workload.pointer("/metadata/uid")?.as_str()?;
    let what = "its replica set cannot be created";
    Some(because(uid, what, progressing.message))
}

fn because(uid: &str, what: &str, message: &str) -> Trouble {
    // From "... error: pods "x" is forbidden: ..." on it says what matters.
    let message = message
        .split_once("is forbidden: ")
        .map_or(message, |(_, why)| why);
    let passing = [
        "failed calling webhook",
        "timed out",
        "timeout",
        "connection refused",
        "try again",
    ];
    let gravity = if passing.iter().any(|word| message.contains(word)) {
        Gravity::Note
    } else {
        Gravity::Lasting(GRACE)
    };
    Trouble {
        gravity,
        uid: uid.to_owned(),
        reason: "FailedCreate".to_owned(),
        text: format!("{what}: {message}"),
        advice: advice("FailedCreate", message),
        speaker: None,
    }
}

/// Whether there are fewer pods than there should be.
fn lacks_pods(workload: &Value) -> bool {
    let count = |pointer: &str| number(workload, pointer).unwrap_or_default();
    match workload["kind"].as_str().unwrap_or_default() {
        "StatefulSet" => {
            count("/status/replicas") < number(workload, "/spec/replicas").unwrap_or(1)
        }
        "DaemonSet" => {
            count("/status/currentNumberScheduled") < count("/status/desiredNumberScheduled")
        }
        _ => count("/status/active") == 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quota_shows_in_a_condition_or_in_an_event() {
        let message = "pods \"q-1\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0";
        let replica_set = json!({"kind": "ReplicaSet", "metadata": {"uid": "r"}, "status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]}});
        let none = Neighbourhood::default();
        let text = trouble(&replica_set, &none, &Rules::default())
            .unwrap()
            .text;
        assert_eq!(
            text,
            "pods cannot be created: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"
        );
        let job = json!({"kind": "Job", "metadata": {"uid": "j"}, "status": {"active": 0}});
        let event = json!({"reason": "FailedCreate", "message": format!("Error creating: {message}"),
            "involvedObject": {"uid": "j"}, "lastTimestamp": "2026-11-23T12:56:40Z"});
        let around = Neighbourhood::new(std::iter::empty(), std::iter::once(&event));
        assert_eq!(
            trouble(&job, &around, &Rules::default()).unwrap().text,
            text
        );
        assert_eq!(trouble(&job, &none, &Rules::default()), None);
    }

    #[test]
    fn a_deployment_may_be_refused_its_replica_set() {
        let message = "Failed to create new replica set \"web-6b7c\": replicasets.apps \"web-6b7c\" is forbidden: exceeded quota: q, requested: count/replicasets.apps=1, used: count/replicasets.apps=4, limited: count/replicasets.apps=4";
        let mut deployment = json!({"kind": "Deployment", "metadata": {"uid": "d"}, "status": {"conditions": [
            {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": message}]}});
        let none = Neighbourhood::default();
        let found = trouble(&deployment, &none, &Rules::default()).unwrap();
        assert_eq!(found.gravity, Gravity::Lasting(GRACE));
        assert!(
            found
                .text
                .starts_with("its replica set cannot be created: exceeded quota: q"),
            "{}",
            found.text
        );
        assert!(found.advice.unwrap().contains("quota"));
        deployment["status"]["conditions"][0]["status"] = json!("True");
        assert_eq!(trouble(&deployment, &none, &Rules::default()), None);
    }
}
