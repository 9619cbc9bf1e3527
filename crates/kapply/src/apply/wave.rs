//! In which order objects are sent: what others need comes first, and what
//! judges or serves the requests of others comes last.

use crate::object::Object;

/// The annotation that puts an object into another wave: a whole number, lowest
/// first. Without it, definitions are in wave 0, RBAC in 10, configuration in 20,
/// Services in 30, workloads in 40, everything else in 50, admission in 60.
pub const WAVE_ANNOTATION: &str = "kapply.dev/wave";

/// The wave of an object, lowest first. The order follows Flux's
/// `ReconcileOrder` (fluxcd/pkg, ssa/sort.go) and Helm's `InstallOrder`.
pub(crate) fn wave(object: &Object) -> i32 {
    chosen(object)
        .and_then(Result::ok)
        .unwrap_or_else(|| usual(object))
}

/// The wave that the annotation asks for, or the text that is no number.
pub(crate) fn chosen(object: &Object) -> Option<Result<i32, &str>> {
    let text = object.value["metadata"]["annotations"][WAVE_ANNOTATION].as_str()?;
    Some(text.parse().map_err(|_| text))
}

fn usual(object: &Object) -> i32 {
    match (object.group(), object.kind()) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => 0,
        ("scheduling.k8s.io", "PriorityClass")
        | ("node.k8s.io", "RuntimeClass")
        | ("networking.k8s.io", "IngressClass")
        | ("storage.k8s.io" | "rbac.authorization.k8s.io", _)
        | ("", "ServiceAccount" | "ResourceQuota" | "LimitRange" | "PersistentVolume") => 10,
        ("", "ConfigMap" | "Secret" | "PersistentVolumeClaim") => 20,
        ("", "Service") => 30,
        ("apps" | "batch", _) | ("", "Pod" | "ReplicationController" | "PodTemplate") => 40,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 60,
        _ => 50,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    #[test]
    fn what_others_need_comes_first() {
        let order = [
            ("v1", "Namespace"),
            ("rbac.authorization.k8s.io/v1", "Role"),
            ("v1", "Secret"),
            ("v1", "Service"),
            ("apps/v1", "Deployment"),
            ("example.com/v1", "Widget"),
            (
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
        ];
        let waves: Vec<_> = order
            .iter()
            .map(|(api, kind)| {
                wave(&Object {
                    value: json!({"apiVersion": api, "kind": kind}),
                    place: Place::file("f"),
                    document: 0,
                })
            })
            .collect();
        assert_eq!(waves, [0, 10, 20, 30, 40, 50, 60]);
    }
}
