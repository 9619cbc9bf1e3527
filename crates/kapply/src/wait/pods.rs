//! Why a workload is not ready: its current pods tell. Some of what they tell
//! means that the rollout cannot succeed, and then waiting is pointless.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    container::{self, Rules},
    event,
    readiness::condition,
    trouble::{GRACE, Gravity, Trouble, advice, join},
};

/// The objects of one namespace that explain workloads.
#[derive(Debug, Default)]
pub(super) struct Neighbourhood<'live> {
    /// Pods and replica sets by the UID of their owner.
    owned: HashMap<&'live str, Vec<&'live Value>>,
    /// Warning events by the UID of what they are about.
    events: HashMap<&'live str, Vec<&'live Value>>,
}

/// What the wait has learnt about pods on its way.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// Pods of which a pull has failed while we watched.
    pub(super) pull_failed: HashSet<String>,
    /// Pods for which somebody is adding a node.
    pub(super) node_is_coming: HashSet<String>,
}

impl<'live> Neighbourhood<'live> {
    pub(super) fn new(
        owned: impl Iterator<Item = &'live Value>,
        events: impl Iterator<Item = &'live Value>,
    ) -> Self {
        let mut all = Self::default();
        for object in owned {
            if let Some(owner) = owner(object) {
                all.owned.entry(owner).or_default().push(object);
            }
        }
        for event in events {
            all.events.entry(event::uid(event)).or_default().push(event);
        }
        all
    }

    /// The Warning events about an object.
    pub(super) fn events(&self, uid: &str) -> &[&'live Value] {
        self.events.get(uid).map_or(&[], Vec::as_slice)
    }

    fn owned_by(&self, owner: &Value) -> &[&'live Value] {
        let uid = owner["metadata"]["uid"].as_str().unwrap_or_default();
        self.owned.get(uid).map_or(&[], Vec::as_slice)
    }

    /// The replica set of a deployment's newest revision.
    pub(super) fn current_set(&self, deployment: &Value) -> Option<&'live Value> {
        const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
        let revision = deployment.pointer(REVISION)?;
        let sets = self.owned_by(deployment).iter();
        sets.copied()
            .find(|set| set.pointer(REVISION) == Some(revision))
    }

    /// A workload's pods, each with whether it is of the newest revision. An
    /// old pod that crashes may be the very reason for the rollout.
    fn pods(&self, workload: &Value) -> Vec<(&'live Value, bool)> {
        let marked = |label: &str, revision: Option<&Value>| {
            let pods = self.owned_by(workload).iter();
            pods.map(|pod| {
                let own = pod.pointer(&format!("/metadata/labels/{label}"));
                (*pod, own.is_some() && own == revision)
            })
            .collect()
        };
        match workload["kind"].as_str().unwrap_or_default() {
            "Deployment" => {
                let current = self.current_set(workload);
                let pods = current.into_iter().flat_map(|set| self.owned_by(set));
                pods.map(|pod| (*pod, true)).collect()
            }
            "StatefulSet" => marked(
                "controller-revision-hash",
                workload.pointer("/status/updateRevision"),
            ),
            "DaemonSet" => marked(
                "pod-template-generation",
                workload.pointer("/metadata/annotations/deprecated.daemonset.template.generation"),
            ),
            _ => self
                .owned_by(workload)
                .iter()
                .map(|pod| (*pod, true))
                .collect(),
        }
    }
}

/// What is wrong with the pods of a workload, the gravest first.
pub(super) fn troubles(
    workload: &Value,
    around: &Neighbourhood<'_>,
    rules: &Rules,
    learnt: &mut Learnt,
) -> Vec<Trouble> {
    let mut found = Vec::new();
    for (pod, is_current) in around.pods(workload) {
        // A job deletes its pods when it gives up; they still tell why.
        let leaves = pod.pointer("/metadata/deletionTimestamp").is_some();
        if leaves && workload["kind"] != "Job" {
            continue;
        }
        let Some(mut trouble) = trouble(pod, around, rules, learnt) else {
            continue;
        };
        if !is_current {
            // An old pod holds up a StatefulSet only: others replace it whatever its state is.
            if workload["kind"] != "StatefulSet" || trouble.gravity == Gravity::Note {
                continue;
            }
            trouble.gravity = Gravity::Note;
            trouble.text = format!("{}; it is of the old revision", trouble.text);
            trouble.advice = advice("OldRevision", "");
        }
        found.push(trouble);
    }
    found.sort_by_key(|trouble| match trouble.gravity {
        Gravity::Fatal => 0,
        Gravity::Lasting(_) => 1,
        Gravity::Note => 2,
    });
    found
}

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
    for (list, role) in [
        ("initContainerStatuses", "init container"),
        ("containerStatuses", "container"),
    ] {
        let statuses = pod.pointer(&format!("/status/{list}"));
        for status in statuses.and_then(Value::as_array).into_iter().flatten() {
            if status.pointer("/state/waiting/reason") == Some(&"ErrImagePull".into()) {
                learnt.pull_failed.insert(uid.to_owned());
            }
            let pull_failed = learnt.pull_failed.contains(uid);
            let trouble = container::trouble(pod, status, role, rules, pull_failed);
            found = found.or(trouble.map(|trouble| explain(trouble, status, events)));
        }
    }
    // With a sandbox all volumes are mounted: what was noted before is over.
    let has_sandbox =
        condition(pod, "PodReadyToStartContainers").is_some_and(|condition| condition.is("True"));
    let held =
        || (!has_sandbox && text("/status/phase") == "Pending").then(|| mount(events, own))?;
    found.or_else(held).or_else(|| {
        let failed = text("/status/phase") == "Failed";
        let message = join(text("/status/reason"), text("/status/message"));
        failed.then(|| own(Gravity::Note, "Failed", &message))
    })
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

/// The UID of the owner that controls an object.
fn owner(object: &Value) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let controls = |owner: &&Value| owner["controller"] == true;
    owners.iter().find(controls)?["uid"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(owner: &str, name: &str, state: &Value) -> Value {
        json!({"metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner, "controller": true}]},
               "status": {"phase": "Pending", "containerStatuses": [{"name": "main", "ready": false, "restartCount": 3, "state": state,
                   "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no config\n"}}}]}})
    }

    fn set(uid: &str, revision: &str) -> Value {
        json!({"metadata": {"uid": uid, "ownerReferences": [{"uid": "d", "controller": true}],
               "annotations": {"deployment.kubernetes.io/revision": revision}}})
    }

    fn crash() -> Value {
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}})
    }

    fn found(workload: &Value, owned: &[&Value], events: &[Value]) -> Vec<Trouble> {
        let around = Neighbourhood::new(owned.iter().copied(), events.iter());
        troubles(workload, &around, &Rules::default(), &mut Learnt::default())
    }

    fn one(pod: &Value, events: &[Value]) -> Option<Trouble> {
        let around = Neighbourhood::new(std::iter::empty(), events.iter());
        trouble(pod, &around, &Rules::default(), &mut Learnt::default())
    }

    #[test]
    fn only_the_newest_revision_counts() {
        let workload = json!({"kind": "Deployment", "metadata": {"uid": "d", "annotations": {"deployment.kubernetes.io/revision": "2"}}});
        let (old, new) = (set("old", "1"), set("new", "2"));
        let (old_pod, new_pod) = (pod("old", "a", &crash()), pod("new", "b", &crash()));
        assert!(found(&workload, &[&old_pod, &old, &new], &[]).is_empty());
        let all = found(&workload, &[&old_pod, &new_pod, &old, &new], &[]);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].gravity, Gravity::Fatal);
        assert_eq!(
            all[0].text,
            "pod b: container main: CrashLoopBackOff: it last ended with exit code 3 (Error): no config"
        );
    }

    #[test]
    fn an_old_pod_of_a_stateful_set_is_told_but_not_blamed() {
        let workload = json!({"kind": "StatefulSet", "metadata": {"uid": "s"}, "status": {"updateRevision": "db-2"}});
        let mut old = pod("s", "db-0", &crash());
        old["metadata"]["labels"] = json!({"controller-revision-hash": "db-1"});
        let all = found(&workload, &[&old], &[]);
        assert_eq!(all[0].gravity, Gravity::Note);
        assert!(all[0].advice.unwrap().contains("delete the old pod"));
        old["metadata"]["labels"] = json!({"controller-revision-hash": "db-2"});
        assert_eq!(found(&workload, &[&old], &[])[0].gravity, Gravity::Fatal);
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
        let unready = pod("x", "web-1", &json!({"running": {}}));
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
        assert_eq!(one(&held, &[event]), None);
    }
}
