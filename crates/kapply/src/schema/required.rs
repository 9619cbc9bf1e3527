//! Which fields the server's own kinds really need. Their `OpenAPI` marks more
//! as required than the server insists on (an empty `value` of an HTTP header
//! or a missing `apiGroup` of a role reference are fine), so these are named here.

const DEFINITIONS: &[(&str, &[&str])] = &[
    (
        "io.k8s.api.apps.v1.DaemonSetSpec",
        &["selector", "template"],
    ),
    (
        "io.k8s.api.apps.v1.DeploymentSpec",
        &["selector", "template"],
    ),
    ("io.k8s.api.apps.v1.ReplicaSetSpec", &["selector"]),
    (
        "io.k8s.api.apps.v1.StatefulSetSpec",
        &["selector", "template"],
    ),
    (
        "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec",
        &["maxReplicas", "scaleTargetRef"],
    ),
    (
        "io.k8s.api.batch.v1.CronJobSpec",
        &["jobTemplate", "schedule"],
    ),
    ("io.k8s.api.batch.v1.JobSpec", &["template"]),
    ("io.k8s.api.core.v1.ConfigMapKeySelector", &["key"]),
    ("io.k8s.api.core.v1.Container", &["name"]),
    ("io.k8s.api.core.v1.ContainerPort", &["containerPort"]),
    ("io.k8s.api.core.v1.EnvVar", &["name"]),
    ("io.k8s.api.core.v1.KeyToPath", &["key", "path"]),
    (
        "io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource",
        &["claimName"],
    ),
    ("io.k8s.api.core.v1.PodSpec", &["containers"]),
    ("io.k8s.api.core.v1.SecretKeySelector", &["key"]),
    ("io.k8s.api.core.v1.ServicePort", &["port"]),
    (
        "io.k8s.api.core.v1.TopologySpreadConstraint",
        &["maxSkew", "topologyKey", "whenUnsatisfiable"],
    ),
    ("io.k8s.api.core.v1.Volume", &["name"]),
    ("io.k8s.api.core.v1.VolumeMount", &["mountPath", "name"]),
    (
        "io.k8s.api.networking.v1.HTTPIngressPath",
        &["backend", "pathType"],
    ),
    ("io.k8s.api.networking.v1.HTTPIngressRuleValue", &["paths"]),
    ("io.k8s.api.networking.v1.IngressServiceBackend", &["name"]),
    ("io.k8s.api.rbac.v1.ClusterRoleBinding", &["roleRef"]),
    ("io.k8s.api.rbac.v1.PolicyRule", &["verbs"]),
    ("io.k8s.api.rbac.v1.RoleBinding", &["roleRef"]),
    ("io.k8s.api.rbac.v1.RoleRef", &["kind", "name"]),
    ("io.k8s.api.rbac.v1.Subject", &["kind", "name"]),
    ("io.k8s.api.storage.v1.StorageClass", &["provisioner"]),
    (
        "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement",
        &["key", "operator"],
    ),
];

/// The required properties of a definition of the server's own.
pub(super) fn of(definition: &str) -> Vec<Box<str>> {
    let index = DEFINITIONS.binary_search_by_key(&definition, |(name, _)| *name);
    let names = index.map_or(&[][..], |index| DEFINITIONS[index].1);
    names.iter().map(|name| Box::from(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found() {
        assert!(DEFINITIONS.is_sorted());
        for (name, properties) in DEFINITIONS {
            assert_eq!(of(name).len(), properties.len(), "{name}");
        }
        assert!(of("io.k8s.api.core.v1.HTTPHeader").is_empty());
    }
}
