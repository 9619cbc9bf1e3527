//! The labels and annotations of `ApplySets`, as kubectl writes and reads them
//! (KEP-3659; kubectl, pkg/cmd/apply/applyset.go).

/// Label of a parent: the set's ID. Its presence makes the object a parent.
pub(crate) const ID: &str = "applyset.kubernetes.io/id";
/// Label of a member: the ID of its set.
pub(crate) const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Label of a CRD whose objects may be parents; any value.
pub(crate) const PARENT_TYPE: &str = "applyset.kubernetes.io/is-parent-type";
/// Annotation of a parent: `TOOL/VERSION` of who may change the set.
pub(crate) const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// Annotation of a parent: the kinds of the members, sorted `Kind.group`, comma-separated.
pub(crate) const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// What [`KINDS`] was before kubectl 1.28: `resource.group`.
pub(crate) const RESOURCES: &str = "applyset.kubernetes.io/contains-group-resources";
/// Annotation of a parent: the members' namespaces except the parent's own, sorted, comma-separated.
pub(crate) const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// Annotation of an object that stays although it left the manifests; its value is `disabled`.
pub(crate) const PRUNE: &str = "kapply.dev/prune";
/// What says the same for other tools, with the value that says it: whoever wrote
/// that meant the object to stay.
pub(crate) const FOREIGN_PRUNE: [(&str, &str); 6] = [
    ("helm.sh/resource-policy", "keep"),
    ("cli-utils.sigs.k8s.io/on-remove", "keep"),
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("kapp.k14s.io/delete-strategy", "orphan"),
];
