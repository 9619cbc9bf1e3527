//! Kinds that the input itself defines: its CRDs say the scope before any cluster knows them.

use std::collections::HashMap;

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::KnownKind;
use crate::object::Object;

/// What can be done with every custom resource.
const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The kinds of all CRDs among the objects.
pub(crate) fn definitions(objects: &[Object]) -> HashMap<GroupVersionKind, KnownKind> {
    objects
        .iter()
        .filter(|object| is_definition(object))
        .flat_map(defined)
        .collect()
}

/// Whether an object is a `CustomResourceDefinition`.
pub(crate) fn is_definition(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition" && object.group() == "apiextensions.k8s.io"
}

fn defined(object: &Object) -> Vec<(GroupVersionKind, KnownKind)> {
    let spec = &object.value["spec"];
    let text = |pointer: &str| {
        spec.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let namespaced = text("/scope") == "Namespaced";
    let versions = spec["versions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let served = versions
        .iter()
        .filter(|version| version["served"].as_bool() != Some(false));
    let short = spec.pointer("/names/shortNames").and_then(Value::as_array);
    let singular = spec.pointer("/names/singular");
    let aliases: Vec<_> = short
        .into_iter()
        .flatten()
        .chain(singular)
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    served
        .filter_map(|version| Some((version, version["name"].as_str()?)))
        .map(|(version, name)| {
            let gvk = GroupVersionKind::gvk(text("/group"), name, text("/names/kind"));
            let resource = ApiResource::from_gvk_with_plural(&gvk, text("/names/plural"));
            (
                gvk,
                KnownKind {
                    resource,
                    namespaced,
                    aliases: aliases.clone(),
                    verbs: VERBS.map(str::to_owned).to_vec(),
                    subresources: subresources(version),
                },
            )
        })
        .collect()
}

fn subresources(version: &Value) -> Vec<String> {
    let given = version["subresources"].as_object();
    given
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}
