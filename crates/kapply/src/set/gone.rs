//! Kinds that a parent names and the cluster does not serve. Where the
//! definition is gone its objects are, too, and the kind leaves the set; where
//! it is only not served, members may still be stored.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::{SetError, reach::GroupKind};
use crate::{
    connect::{Cluster, RequestError},
    discover::Catalog,
    live,
};

/// What became of a kind that is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// No definition has it: it has no objects.
    Gone,
    /// Whether a definition has it could not be found out.
    Unknown,
}

/// Finds out about kinds that are not served.
///
/// # Errors
/// One may still have objects that cannot be listed.
pub(crate) async fn absences(
    cluster: &Cluster,
    catalog: &Catalog,
    kinds: Vec<GroupKind>,
) -> Result<Vec<(GroupKind, Absence)>, SetError> {
    if let Some(kind) = kinds.iter().find(|kind| catalog.is_unsure_of(&kind.group)) {
        return Err(SetError::Unserved {
            kind: kind.to_string(),
            reason: format!(
                "the API service of {} does not answer (see `kubectl get apiservices`)",
                kind.group
            ),
        });
    }
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "customresourcedefinitions");
    let mut definitions = Vec::new();
    match live::list(cluster, &resource, None, "", |live| {
        definitions.push(live.value);
    })
    .await
    {
        Ok(()) => {}
        Err(RequestError::Status(status)) if status.code == 403 => {
            return Ok(kinds
                .into_iter()
                .map(|kind| (kind, Absence::Unknown))
                .collect());
        }
        Err(error) => {
            let what = "list the definitions, to see which kinds of the set are gone";
            return Err(SetError::request(what.to_owned(), &error));
        }
    }
    let defines = |definition: &Value, kind: &GroupKind| {
        let spec = &definition["spec"];
        spec["group"] == kind.group.as_str() && spec["names"]["kind"] == kind.kind.as_str()
    };
    if let Some(kind) = kinds.iter().find(|kind| {
        definitions
            .iter()
            .any(|definition| defines(definition, kind))
    }) {
        return Err(SetError::Unserved {
            kind: kind.to_string(),
            reason: "its definition serves no version at the moment".to_owned(),
        });
    }
    Ok(kinds
        .into_iter()
        .map(|kind| (kind, Absence::Gone))
        .collect())
}
