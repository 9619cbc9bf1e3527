//! How far the Job's pod has come, and whether it is worth waiting for.

use k8s_openapi::api::core::v1::{ContainerState, Pod};

/// Reasons for which a container waits that time does not help with.
const HOPELESS: [&str; 5] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
];

/// How far a pod has come.
#[derive(Debug, PartialEq)]
pub(super) enum PodStage {
    /// On this node.
    Runs(String),
    Waits(String),
    Failed(String),
}

pub(super) fn stage_of(pod: &Pod) -> PodStage {
    let status = pod.status.clone().unwrap_or_default();
    let container = status
        .container_statuses
        .unwrap_or_default()
        .into_iter()
        .next();
    let reason = |reason: Option<String>, message: Option<String>| {
        let words = [reason, message].into_iter().flatten();
        words.collect::<Vec<_>>().join(": ")
    };
    match container.and_then(|container| container.state) {
        Some(ContainerState {
            terminated: Some(ended),
            ..
        }) if ended.exit_code != 0 => PodStage::Failed(format!(
            "its container ended with {}: {}; is kdrill the entrypoint of the image?",
            ended.exit_code,
            reason(ended.reason, ended.message)
        )),
        Some(
            ContainerState {
                running: Some(_), ..
            }
            | ContainerState {
                terminated: Some(_),
                ..
            },
        ) => {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            PodStage::Runs(node.unwrap_or_default())
        }
        Some(ContainerState {
            waiting: Some(waits),
            ..
        }) => {
            let hopeless = waits
                .reason
                .as_deref()
                .is_some_and(|reason| HOPELESS.contains(&reason));
            let why = reason(waits.reason, waits.message);
            if hopeless {
                PodStage::Failed(why)
            } else {
                PodStage::Waits(why)
            }
        }
        _ => {
            let unscheduled = status
                .conditions
                .unwrap_or_default()
                .into_iter()
                .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
            PodStage::Waits(unscheduled.map_or_else(
                || "its pod was made".to_owned(),
                |condition| reason(condition.reason, condition.message),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_pod_waits_for_is_told_from_what_it_waits_for_in_vain() {
        let pod = |status: serde_json::Value| {
            serde_json::from_value::<Pod>(
                json!({"spec": {"nodeName": "n1", "containers": []}, "status": status}),
            )
            .unwrap()
        };
        let container = |state: serde_json::Value| {
            json!({"containerStatuses": [{"name": "load", "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": state}]})
        };
        let running = container(json!({"running": {}}));
        assert_eq!(stage_of(&pod(running)), PodStage::Runs("n1".to_owned()));
        let pulling = container(json!({"waiting": {"reason": "ContainerCreating"}}));
        assert_eq!(
            stage_of(&pod(pulling)),
            PodStage::Waits("ContainerCreating".to_owned())
        );
        let denied = container(
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
        );
        assert_eq!(
            stage_of(&pod(denied)),
            PodStage::Failed("ImagePullBackOff: no such image".to_owned())
        );
        let full = json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available"}]});
        assert_eq!(
            stage_of(&pod(full)),
            PodStage::Waits("Unschedulable: 0/3 nodes are available".to_owned())
        );
    }
}
