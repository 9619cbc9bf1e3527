//! In which order objects are sent: what others need comes first, and what
//! judges or serves the requests of others comes last.

use crate::object::Object;

/// Namespaces and definitions: everything else may need them.
pub(crate) const DEFINITIONS: u8 = 0;

/// The wave of an object, lowest first. The order follows Flux's
/// `ReconcileOrder` (fluxcd/pkg, ssa/sort.go) and Helm's `InstallOrder`.
pub(crate) fn wave(object: &Object) -> u8 {
    match (object.group(), object.kind()) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => DEFINITIONS,
        ("scheduling.k8s.io", "PriorityClass")
        | ("node.k8s.io", "RuntimeClass")
        | ("networking.k8s.io", "IngressClass")
        | ("storage.k8s.io" | "rbac.authorization.k8s.io", _)
        | ("", "ServiceAccount" | "ResourceQuota" | "LimitRange" | "PersistentVolume") => 1,
        ("", "ConfigMap" | "Secret" | "PersistentVolumeClaim") => 2,
        ("", "Service") => 3,
        ("apps" | "batch", _) | ("", "Pod" | "ReplicationController" | "PodTemplate") => 4,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 6,
        _ => 5,
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
        assert_eq!(waves, [0, 1, 2, 3, 4, 5, 6]);
    }
}
