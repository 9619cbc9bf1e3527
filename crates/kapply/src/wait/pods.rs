//! Why a workload is not ready: its current pods tell. Some of what they tell
//! means that the rollout cannot succeed, and then waiting is pointless.

use serde_json::Value;

use super::readiness::condition;

/// What keeps a pod from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Whether waiting will not help.
    pub(crate) fatal: bool,
    /// Pod, container, reason and message.
    pub(crate) text: String,
}

/// What is wrong with the pods of a workload's current revision, the fatal first.
pub(crate) fn troubles(workload: &Value, pods: &[&Value], replica_sets: &[&Value]) -> Vec<Trouble> {
    // A job counts crashes itself: its backoffLimit says when it has failed.
    let crashes_are_fatal = workload["kind"] != "Job";
    let mut found: Vec<_> = pods
        .iter()
        .filter(|pod| {
            is_current(workload, pod, replica_sets)
                && pod.pointer("/metadata/deletionTimestamp").is_none()
        })
        .filter_map(|pod| trouble(pod, crashes_are_fatal))
        .collect();
    found.sort_by_key(|trouble| !trouble.fatal);
    found
}

/// What is wrong with one pod.
pub(crate) fn trouble(pod: &Value, crashes_are_fatal: bool) -> Option<Trouble> {
    let name = pod
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if let Some(scheduled) =
        condition(pod, "PodScheduled").filter(|condition| condition.is("False"))
    {
        return Some(Trouble {
            fatal: false,
            text: format!("pod {name}: {}", scheduled.text()),
        });
    }
    for (list, word) in [
        ("initContainerStatuses", "init container"),
        ("containerStatuses", "container"),
    ] {
        let containers = pod
            .pointer(&format!("/status/{list}"))
            .and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            if let Some((fatal, reason)) =
                container_trouble(container, crashes_are_fatal, word == "container")
            {
                let container = container["name"].as_str().unwrap_or_default();
                return Some(Trouble {
                    fatal,
                    text: format!("pod {name}: {word} {container}: {reason}"),
                });
            }
        }
    }
    let phase = pod
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or_default();
    (phase == "Failed").then(|| {
        let text = |pointer: &str| {
            pod.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Trouble {
            fatal: false,
            text: format!(
                "pod {name}: failed {} {}",
                text("/status/reason"),
                text("/status/message")
            ),
        }
    })
}

fn container_trouble(
    container: &Value,
    crashes_are_fatal: bool,
    must_be_ready: bool,
) -> Option<(bool, String)> {
    let text = |pointer: &str| {
        container
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let reason = text("/state/waiting/reason");
    if !reason.is_empty() && !matches!(reason, "ContainerCreating" | "PodInitializing") {
        let fatal = match reason {
            // ErrImagePull is the first failure; the kubelet turns it into ImagePullBackOff at the next.
            "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "CreateContainerConfigError" => true,
            "CrashLoopBackOff" => crashes_are_fatal,
            _ => false,
        };
        let mut message = join(reason, text("/state/waiting/message"));
        if let Some(last) = exit(container.pointer("/lastState/terminated")) {
            message = format!("{message}; it last ended with {last}");
        }
        return Some((fatal, message));
    }
    if let Some(ended) = exit(container.pointer("/state/terminated"))
        .filter(|_| container.pointer("/state/terminated/exitCode") != Some(&0.into()))
    {
        return Some((false, format!("ended with {ended}")));
    }
    let running = container.pointer("/state/running").is_some();
    (must_be_ready && running && container["ready"] == false).then(|| {
        (
            false,
            "runs, but its readiness probe does not succeed yet".to_owned(),
        )
    })
}

/// `exit code 1 (Error): message`
fn exit(terminated: Option<&Value>) -> Option<String> {
    let terminated = terminated.filter(|terminated| terminated.is_object())?;
    let text = |key: &str| terminated[key].as_str().unwrap_or_default().trim();
    let code = terminated["exitCode"].as_i64().unwrap_or_default();
    let reason = text("reason");
    Some(join(
        &format!(
            "exit code {code} ({})",
            if reason.is_empty() {
                "no reason"
            } else {
                reason
            }
        ),
        text("message"),
    ))
}

fn join(head: &str, message: &str) -> String {
    if message.is_empty() {
        head.to_owned()
    } else {
        format!("{head}: {message}")
    }
}

/// Whether a pod belongs to the workload's newest revision. An old pod that
/// crashes may be the very reason for the rollout.
fn is_current(workload: &Value, pod: &Value, replica_sets: &[&Value]) -> bool {
    let text = |object: &Value, pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match workload["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
            let revision = text(workload, REVISION);
            replica_sets.iter().any(|set| {
                is_owned(set, workload)
                    && revision.is_some()
                    && text(set, REVISION) == revision
                    && is_owned(pod, set)
            })
        }
        "StatefulSet" => {
            let revision = text(workload, "/status/updateRevision");
            is_owned(pod, workload)
                && text(pod, "/metadata/labels/controller-revision-hash") == revision
        }
        "DaemonSet" => {
            let revision = text(
                workload,
                "/metadata/annotations/deprecated.daemonset.template.generation",
            );
            is_owned(pod, workload)
                && text(pod, "/metadata/labels/pod-template-generation") == revision
        }
        _ => is_owned(pod, workload),
    }
}

fn is_owned(object: &Value, owner: &Value) -> bool {
    let uid = &owner["metadata"]["uid"];
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    uid.is_string()
        && owners
            .into_iter()
            .flatten()
            .any(|reference| reference["uid"] == *uid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(owner: &str, state: &Value) -> Value {
        json!({"metadata": {"name": "web-1", "ownerReferences": [{"uid": owner}]},
               "status": {"phase": "Pending", "containerStatuses": [{"name": "web", "ready": false, "state": state,
                   "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no config\n"}}}]}})
    }

    fn set(uid: &str, revision: &str) -> Value {
        json!({"metadata": {"uid": uid, "ownerReferences": [{"uid": "d"}],
               "annotations": {"deployment.kubernetes.io/revision": revision}}})
    }

    #[test]
    fn only_the_newest_revision_counts() {
        let workload = json!({"kind": "Deployment", "metadata": {"uid": "d", "annotations": {"deployment.kubernetes.io/revision": "2"}}});
        let (old, new) = (set("old", "1"), set("new", "2"));
        let crash = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let (old_pod, new_pod) = (pod("old", &crash), pod("new", &crash));
        assert!(troubles(&workload, &[&old_pod], &[&old, &new]).is_empty());
        let found = troubles(&workload, &[&old_pod, &new_pod], &[&old, &new]);
        assert_eq!(found, [Trouble {
            fatal: true,
            text: "pod web-1: container web: CrashLoopBackOff: back-off 10s; it last ended with exit code 3 (Error): no config".into()
        }]);
    }

    #[test]
    fn the_first_failed_pull_is_not_final() {
        for (reason, fatal) in [
            ("ErrImagePull", false),
            ("ImagePullBackOff", true),
            ("CreateContainerConfigError", true),
        ] {
            let found = trouble(&pod("x", &json!({"waiting": {"reason": reason}})), true).unwrap();
            assert_eq!(found.fatal, fatal, "{reason}");
        }
        assert_eq!(
            trouble(
                &pod("x", &json!({"waiting": {"reason": "ContainerCreating"}})),
                true
            ),
            None
        );
    }

    #[test]
    fn unschedulable_and_unready_pods_say_so() {
        let pending = json!({"metadata": {"name": "p"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}});
        assert_eq!(
            trouble(&pending, true).unwrap().text,
            "pod p: Unschedulable: 0/3 nodes are available"
        );
        assert!(
            trouble(&pod("x", &json!({"running": {}})), true)
                .unwrap()
                .text
                .contains("readiness probe")
        );
    }
}
