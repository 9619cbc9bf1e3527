//! The scope of Kubernetes' own kinds, for rendering without a cluster.

/// Groups that kube-apiserver itself serves; a core group has the empty name.
const GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Groups of which every kind belongs to the cluster.
const CLUSTER_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// Kinds of the other groups that belong to the cluster.
const CLUSTER_KINDS: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "DeviceTaintRule"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];

/// Whether objects of a built-in kind belong to a namespace; `None` for a group that is not built in.
pub(crate) fn is_namespaced(group: &str, kind: &str) -> Option<bool> {
    GROUPS
        .contains(&group)
        .then(|| !CLUSTER_GROUPS.contains(&group) && !CLUSTER_KINDS.contains(&(group, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_builtin_kinds() {
        assert_eq!(is_namespaced("apps", "Deployment"), Some(true));
        assert_eq!(is_namespaced("", "Namespace"), Some(false));
        assert_eq!(
            is_namespaced("apiextensions.k8s.io", "CustomResourceDefinition"),
            Some(false)
        );
        assert_eq!(is_namespaced("example.com", "Widget"), None);
    }
}
