//! The objects that cases are made of.

use std::sync::LazyLock;

use kapply::{decode, source::Source};
use serde_json::Value;

/// Kinds of which every cluster has objects.
pub(crate) const SERVED: &[&str] = &[
    "apiservices",
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "customresourcedefinitions",
    "daemonsets",
    "deployments",
    "endpoints",
    "endpointslices",
    "flowschemas",
    "ipaddresses",
    "leases",
    "namespaces",
    "nodes",
    "priorityclasses",
    "prioritylevelconfigurations",
    "rolebindings",
    "roles",
    "serviceaccounts",
    "servicecidrs",
    "services",
];

static TEMPLATES: LazyLock<Vec<Value>> =
    LazyLock::new(|| read("objects.yaml", include_str!("objects.yaml")));

/// One or two objects of each kind, as full as they can be.
pub(crate) fn all() -> &'static [Value] {
    &TEMPLATES
}

/// The kind of some of them.
pub(crate) fn definition() -> Value {
    read("definition.yaml", include_str!("definition.yaml")).remove(0)
}

fn read(name: &str, text: &str) -> Vec<Value> {
    let source = Source {
        name: name.into(),
        bytes: text.as_bytes().to_vec(),
    };
    let objects = decode::decode(&[source]).expect("the file holds objects");
    objects.into_iter().map(|object| object.value).collect()
}
