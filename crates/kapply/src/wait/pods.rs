//! Why a workload is not ready: its current pods tell. Some of what they tell
//! means that the rollout cannot succeed, and then waiting is pointless.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    container::Rules,
    event, pod,
    rollout::updates_on_delete,
    trouble::{Gravity, Trouble, advice},
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
        let Some(mut trouble) = pod::trouble(pod, around, rules, learnt) else {
            continue;
        };
        if !is_current {
            // An old pod holds up a StatefulSet, and whatever replaces none by
            // itself: others replace it whatever its state is.
            let on_delete = updates_on_delete(workload);
            let stays = on_delete || workload["kind"] == "StatefulSet";
            if !stays || trouble.gravity >= Gravity::Note {
                continue;
            }
            trouble.gravity = Gravity::Note;
            trouble.text = format!("{}; it is of the old revision", trouble.text);
            trouble.advice = advice(if on_delete { "OnDelete" } else { "OldRevision" }, "");
        }
        found.push(trouble);
    }
    found.sort_by_key(|trouble| trouble.gravity);
    found
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
    fn an_old_pod_of_a_daemon_set_is_told_where_nobody_replaces_it() {
        let mut workload = json!({"kind": "DaemonSet", "metadata": {"uid": "n",
            "annotations": {"deprecated.daemonset.template.generation": "2"}}});
        let mut old = pod("n", "n-1", &crash());
        old["metadata"]["labels"] = json!({"pod-template-generation": "1"});
        assert!(found(&workload, &[&old], &[]).is_empty());
        workload["spec"] = json!({"updateStrategy": {"type": "OnDelete"}});
        let all = found(&workload, &[&old], &[]);
        assert_eq!(all[0].gravity, Gravity::Note);
        assert!(all[0].advice.unwrap().contains("OnDelete"));
    }
}
