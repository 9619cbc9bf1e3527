//! Why one pod is not ready: its conditions, its containers, its volumes, and
//! what the kubelet has noted about them.

use serde_json::Value;

use super::{
    container::{self, Role, Rules},
    pods::{Learnt, Neighbourhood},
    readiness::condition,
    trouble::{GRACE, Gravity, Trouble, advice, join},
};

/// What is wrong with one pod.
pub(super) fn trouble(
    pod: &Value,
    around: &Neighbourhood<'_>,
    rules: &Rules,
    learnt: &mut Learnt,
) -> Option<Trouble> {
    let text = |pointer: &str| {
        let value = pod.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default()
    };
    let (name, uid) = (text("/metadata/name"), text("/metadata/uid"));
    let own = &|gravity, reason: &str, message: &str| Trouble {
        gravity,
        uid: uid.to_owned(),
        reason: reason.to_owned(),
        text: format!("pod {name}: {}", join(reason, message)),
        advice: advice(reason, message),
        speaker: None,
    };
    if let Some(scheduled) =
        condition(pod, "PodScheduled").filter(|condition| condition.is("False"))
    {
        let coming = learnt.node_is_coming.contains(uid)
            || pod.pointer("/status/nominatedNodeName").is_some();
        return Some(match (scheduled.reason, coming) {
            ("Unschedulable", false) => {
                own(Gravity::Lasting(GRACE), scheduled.reason, scheduled.message)
            }
            ("Unschedulable", true) => Trouble {
                advice: None,
                ..own(
                    Gravity::Note,
                    scheduled.reason,
                    &format!("room is being made for it; {}", scheduled.message),
                )
            },
            _ => own(Gravity::Note, scheduled.reason, scheduled.message),
        });
    }
    let events = around.events(uid);
    let mut found = None;
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = pod.pointer(&format!("/status/{list}"));
        for status in statuses.and_then(Value::as_array).into_iter().flatten() {
            if status.pointer("/state/waiting/reason") == Some(&"ErrImagePull".into()) {
                learnt.pull_failed.insert(uid.to_owned());
            }
            let role = match list {
                "containerStatuses" => Role::Main,
                _ => Role::of_init(pod, &status["name"]),
            };
            let pull_failed = learnt.pull_failed.contains(uid);
            let trouble = container::trouble(pod, status, role, rules, pull_failed);
            let trouble = trouble.map(|trouble| explain(trouble, status, events));
            found = gravest(found, trouble);
        }
    }
    // With a sandbox all volumes are mounted: what was noted before is over.
    let has_sandbox =
        condition(pod, "PodReadyToStartContainers").is_some_and(|condition| condition.is("True"));
    let waits = !has_sandbox && text("/status/phase") == "Pending";
    let held = waits.then(|| mount(events, own)).flatten();
    gravest(found, held).or_else(|| match text("/status/phase") {
        "Failed" => {
            let message = join(text("/status/reason"), text("/status/message"));
            Some(own(Gravity::Note, "Failed", &message))
        }
        "Running" => held_back(pod, own),
        _ => None,
    })
}

/// Why a pod is not ready although its containers are: a readiness gate, or its
/// node. A kubelet always gives a reason; who writes none is the controller that
/// has lost sight of the node.
fn held_back(pod: &Value, own: impl Fn(Gravity, &str, &str) -> Trouble) -> Option<Trouble> {
    let ready = condition(pod, "Ready").filter(|ready| !ready.is("True"))?;
    let is_complete = condition(pod, "ContainersReady").is_some_and(|all| all.is("True"));
    match ready.reason {
        "" if is_complete => {
            let node = pod.pointer("/spec/nodeName").and_then(Value::as_str);
            let message = format!(
                "its containers are ready, but its node {} may be lost",
                node.unwrap_or_default()
            );
            Some(own(Gravity::Note, "NotReady", &message))
        }
        "" | "ContainersNotReady" | "PodCompleted" | "PodFailed" => None,
        reason => Some(own(Gravity::Note, reason, ready.message)),
    }
}

/// The graver of two, and of equals the first: a container that only waits for
/// another one must not hide what is wrong with that.
fn gravest(first: Option<Trouble>, second: Option<Trouble>) -> Option<Trouble> {
    let all = first.into_iter().chain(second);
    all.min_by_key(|trouble| (trouble.gravity, trouble.reason == "NotReady"))
}

/// Puts into the trouble what only the kubelet's events tell: what a probe found.
fn explain(mut trouble: Trouble, status: &Value, events: &[&Value]) -> Trouble {
    let place = format!("{{{}}}", status["name"].as_str().unwrap_or_default());
    let probes = events.iter().filter(|event| {
        let field = event.pointer("/involvedObject/fieldPath");
        event["reason"] == "Unhealthy"
            && field
                .and_then(Value::as_str)
                .is_some_and(|field| field.ends_with(&place))
    });
    let newest = |kind: &str| {
        let starts = |event: &&&Value| {
            event["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(kind))
        };
        let newest = probes
            .clone()
            .filter(starts)
            .max_by_key(|event| event["lastTimestamp"].as_str())?;
        newest["message"].as_str()
    };
    if trouble.reason == "NotReady" {
        if let Some(message) = newest("Readiness").or_else(|| newest("Startup")) {
            trouble.text = format!("{}: {}", trouble.text, message.trim());
            trouble.advice = advice("Unhealthy", message);
        }
    } else if let Some(message) = newest("Liveness").or_else(|| newest("Startup")) {
        trouble.text = format!("{}; {}", trouble.text, message.trim());
        trouble.advice = advice("LivenessProbe", message);
    }
    trouble
}

/// A volume that cannot be mounted holds a pod before any container starts.
fn mount(events: &[&Value], own: impl Fn(Gravity, &str, &str) -> Trouble) -> Option<Trouble> {
    let event = events
        .iter()
        .filter(|event| event["reason"] == "FailedMount" || event["reason"] == "FailedAttachVolume")
        .max_by_key(|event| event["lastTimestamp"].as_str())?;
    let message = event["message"].as_str().unwrap_or_default();
    let absent = message.contains("not found") || message.contains("references non-existent");
    let gravity = if absent {
        Gravity::Lasting(GRACE)
    } else {
        Gravity::Note
    };
    Some(own(gravity, "FailedMount", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A pod with these container statuses.
    fn pod(containers: &Value) -> Value {
        json!({"metadata": {"name": "web-1", "uid": "web-1"},
               "status": {"phase": "Running", "containerStatuses": containers}})
    }

    fn one(pod: &Value, events: &[Value]) -> Option<Trouble> {
        let around = Neighbourhood::new(std::iter::empty(), events.iter());
        trouble(pod, &around, &Rules::default(), &mut Learnt::default())
    }

    #[test]
    fn the_gravest_of_its_containers_counts() {
        let waits =
            json!({"name": "app", "ready": false, "restartCount": 0, "state": {"running": {}}});
        let crashes = json!({"name": "proxy", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}});
        for containers in [json!([waits, crashes]), json!([crashes, waits])] {
            let trouble = one(&pod(&containers), &[]).unwrap();
            assert_eq!(trouble.gravity, Gravity::Fatal);
            assert!(
                trouble.text.starts_with("pod web-1: container proxy: "),
                "{}",
                trouble.text
            );
        }
    }

    #[test]
    fn a_pod_may_be_held_back_beside_its_containers() {
        let mut held = pod(&json!([{"name": "main", "ready": true, "state": {"running": {}}}]));
        held["spec"] = json!({"nodeName": "agent1"});
        let mut text = |ready: &Value| {
            held["status"]["conditions"] =
                json!([{"type": "ContainersReady", "status": "True"}, ready]);
            one(&held, &[]).map(|trouble| trouble.text)
        };
        assert_eq!(
            text(&json!({"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady",
                "message": "corresponding condition of pod readiness gate \"x.io/lb\" does not exist."}))
            .unwrap(),
            "pod web-1: ReadinessGatesNotReady: corresponding condition of pod readiness gate \"x.io/lb\" does not exist."
        );
        for status in ["False", "Unknown"] {
            assert_eq!(
                text(&json!({"type": "Ready", "status": status})).unwrap(),
                "pod web-1: NotReady: its containers are ready, but its node agent1 may be lost"
            );
        }
        assert_eq!(text(&json!({"type": "Ready", "status": "True"})), None);
    }

    #[test]
    fn unschedulable_pods_get_some_time() {
        let pending = json!({"metadata": {"name": "p", "uid": "u"}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}});
        let trouble = one(&pending, &[]).unwrap();
        assert_eq!(trouble.gravity, Gravity::Lasting(GRACE));
        assert_eq!(
            trouble.text,
            "pod p: Unschedulable: 0/1 nodes are available: 1 Insufficient memory."
        );
    }

    #[test]
    fn a_probe_says_what_it_found() {
        let unready = pod(&json!([{"name": "main", "ready": false, "state": {"running": {}}}]));
        let event = json!({"reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 404",
            "involvedObject": {"uid": "web-1", "fieldPath": "spec.containers{main}"}});
        let trouble = one(&unready, &[event]).unwrap();
        assert_eq!(trouble.gravity, Gravity::Note);
        assert!(
            trouble.text.ends_with(
                "not ready yet: Readiness probe failed: HTTP probe failed with statuscode: 404"
            ),
            "{}",
            trouble.text
        );
    }

    #[test]
    fn a_volume_that_is_not_there_holds_a_pod() {
        let event = json!({"reason": "FailedMount", "message": "MountVolume.SetUp failed for volume \"v\" : configmap \"absent\" not found",
            "involvedObject": {"uid": "p"}, "lastTimestamp": "2026-11-23T12:56:40Z"});
        let mut held = json!({"metadata": {"name": "p", "uid": "p"}, "status": {"phase": "Pending", "containerStatuses": [
            {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]}});
        assert_eq!(
            one(&held, std::slice::from_ref(&event)).unwrap().gravity,
            Gravity::Lasting(GRACE)
        );
        held["status"]["conditions"] =
            json!([{"type": "PodReadyToStartContainers", "status": "True"}]);
        assert_eq!(one(&held, &[event]).unwrap().gravity, Gravity::Passing);
    }
}
