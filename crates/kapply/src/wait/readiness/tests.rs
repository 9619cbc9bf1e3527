//! Objects as clusters have them, and what each is.

use serde_json::json;

use super::*;

fn state(object: &Value) -> State {
    readiness(object).state
}

fn with_condition(api: &str, kind: &str, condition: &str, status: &str) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"generation": 2},
           "status": {"observedGeneration": 2, "conditions": [{"type": condition, "status": status, "reason": "R"}]}})
}

#[test]
fn conditions_decide_for_kinds_without_a_rule() {
    for (condition, status, expected) in [
        ("Ready", "True", State::Ready),
        ("Ready", "False", State::Pending),
        ("Stalled", "True", State::Failed),
        ("Reconciling", "True", State::Pending),
        ("Other", "False", State::Ready),
    ] {
        assert_eq!(
            state(&with_condition("x.io/v1", "Thing", condition, status)),
            expected,
            "{condition}={status}"
        );
    }
    let mut behind = with_condition("x.io/v1", "Thing", "Ready", "True");
    behind["status"]["observedGeneration"] = json!("1");
    assert_eq!(state(&behind), State::Pending);
    // Argo Rollouts before 1.0: a hash of the spec, which may look like a number.
    for hash in ["5f79b78d7f", "677392693"] {
        behind["status"]["observedGeneration"] = json!(hash);
        assert_eq!(state(&behind), State::Ready, "{hash}");
    }
}

#[test]
fn a_condition_of_an_older_generation_says_nothing() {
    // As cert-manager and the Gateway API write it.
    let mut thing = with_condition("x.io/v1", "Thing", "Ready", "True");
    thing["status"] =
        json!({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]});
    assert_eq!(state(&thing), State::Pending);
    thing["status"]["conditions"][0]["observedGeneration"] = json!(2);
    assert_eq!(state(&thing), State::Ready);
}

#[test]
fn jobs_have_to_finish() {
    let job = |condition| with_condition("batch/v1", "Job", condition, "True");
    assert_eq!(state(&job("Complete")), State::Ready);
    assert_eq!(state(&job("Failed")), State::Failed);
    let mut suspended = job("Suspended");
    assert_eq!(state(&suspended), State::Pending, "it goes on");
    suspended["spec"] = json!({"suspend": true});
    assert_eq!(state(&suspended), State::Ready);
    suspended["status"]["conditions"][0]["status"] = json!("False");
    assert_eq!(state(&suspended), State::Pending, "it still runs");
    assert_eq!(
        state(&json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"active": 1}})),
        State::Pending
    );
}

#[test]
fn pods_claims_and_services() {
    let phase = |kind, phase| json!({"apiVersion": "v1", "kind": kind, "status": {"phase": phase}});
    assert_eq!(state(&phase("Pod", "Failed")), State::Failed);
    assert_eq!(state(&phase("Pod", "Running")), State::Pending);
    assert_eq!(state(&phase("Pod", "Succeeded")), State::Ready);
    assert_eq!(
        state(&phase("PersistentVolumeClaim", "Bound")),
        State::Ready
    );
    assert_eq!(
        state(&phase("PersistentVolumeClaim", "Lost")),
        State::Failed
    );
    let mut service =
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}});
    assert_eq!(state(&service), State::Pending);
    service["spec"]["externalIPs"] = json!(["192.0.2.2"]);
    assert_eq!(state(&service), State::Ready);
    service["spec"]["externalIPs"] = json!([]);
    assert_eq!(state(&service), State::Pending);
    service["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    assert_eq!(state(&service), State::Ready);
}

#[test]
fn definitions_have_to_be_established() {
    let definition = |condition, status| {
        with_condition(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            condition,
            status,
        )
    };
    assert_eq!(state(&definition("Established", "True")), State::Ready);
    assert_eq!(state(&definition("NamesAccepted", "False")), State::Failed);
    assert_eq!(state(&definition("NamesAccepted", "True")), State::Pending);
}

#[test]
fn what_is_being_deleted_is_not_ready() {
    let status = readiness(&json!({"kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.io/hold"]}}));
    assert_eq!(
        (status.state, status.message.as_str()),
        (
            State::Pending,
            "it is being deleted; finalizers hold it: x.io/hold"
        )
    );
}
