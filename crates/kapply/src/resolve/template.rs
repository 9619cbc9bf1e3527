//! Where an object keeps its pod template.

use serde_json::Value;

use crate::{discover::builtin, object::Object};

/// JSON pointer of the object's pod template, which holds `metadata` and `spec`;
/// for a Pod that is the object itself. Custom resources count if they keep one
/// where Deployments do, as Rollouts and Knative Services do.
pub(crate) fn pointer(object: &Object) -> Option<&'static str> {
    match (object.group(), object.kind()) {
        ("", "Pod") => Some(""),
        ("", "PodTemplate") => Some("/template"),
        ("", "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        (group, kind) if builtin::is_namespaced(group, kind).is_none() => {
            let containers = object.value.pointer("/spec/template/spec/containers");
            containers
                .is_some_and(Value::is_array)
                .then_some("/spec/template")
        }
        _ => None,
    }
}
