//! Which sets there are: every object with the label of a parent.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::{
    GroupKind, Parent, SetError, Tooling, marks, members,
    reach::{Reach, parts},
};
use crate::{
    connect::{Cluster, RequestError},
    discover::{Catalog, KnownKind},
    live::{self, Part},
};

/// Sets whose members are counted at once.
const CONCURRENCY: usize = 4;

/// A set as its parent describes it; nothing of it has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The parent.
    pub parent: Parent,
    /// Who takes care of it, if the parent says so.
    pub tooling: Option<Tooling>,
    /// Where it may have members.
    pub reach: Reach,
    /// How many members there are without those that a controller made, or why that is unknown.
    pub members: Result<usize, String>,
    /// What is wrong with the parent, in words.
    pub faults: Vec<String>,
}

/// All sets whose parents are in this namespace or belong to the cluster, or
/// with `None` all that there are; sorted.
///
/// # Errors
/// The parents cannot be listed.
pub async fn sets(
    cluster: &Cluster,
    catalog: &Catalog,
    namespace: Option<&str>,
) -> Result<Vec<Listed>, SetError> {
    let mut parents = parents(cluster, catalog, namespace, marks::ID).await?;
    parents.sort_by_key(|(parent, _)| parent.to_string());
    let listed = parents
        .iter()
        .map(|(parent, object)| describe(cluster, catalog, parent, object));
    Ok(stream::iter(listed).buffered(CONCURRENCY).collect().await)
}

/// The parent of a set of which only the ID is known; `None` if it cannot be found.
pub(super) async fn find(cluster: &Cluster, catalog: &Catalog, id: &str) -> Option<Parent> {
    let selector = format!("{}={id}", marks::ID);
    let parents = parents(cluster, catalog, None, &selector).await.ok()?;
    parents
        .into_iter()
        .map(|(parent, _)| parent)
        .find(|parent| parent.id() == id)
}

async fn parents(
    cluster: &Cluster,
    catalog: &Catalog,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Vec<(Parent, Value)>, SetError> {
    let built_in = ["Secret", "ConfigMap"]
        .iter()
        .filter_map(|kind| catalog.by_group_kind("", kind));
    let mut kinds: Vec<KnownKind> = built_in.cloned().collect();
    kinds.extend(parent_types(cluster, catalog).await?);
    let query = format!("labelSelector={}", live::query_value(selector));
    let mut found = Vec::new();
    for KnownKind {
        resource,
        namespaced,
        ..
    } in &kinds
    {
        let scope = namespace.filter(|_| *namespaced);
        let take = |live: crate::plan::Live| {
            let parent = Parent {
                resource: resource.clone(),
                namespace: live.namespace().map(str::to_owned),
                name: live.name().to_owned(),
            };
            found.push((parent, live.value));
        };
        live::list_part(cluster, resource, scope, &query, Part::Metadata, take)
            .await
            .map_err(|error| members::refusal(resource, scope, &error))?;
    }
    Ok(found)
}

/// The kinds whose definitions say that their objects may be parents. Whoever
/// may not list definitions sees the sets of Secrets and `ConfigMaps`.
async fn parent_types(cluster: &Cluster, catalog: &Catalog) -> Result<Vec<KnownKind>, SetError> {
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "customresourcedefinitions");
    let query = format!("labelSelector={}", live::query_value(marks::PARENT_TYPE));
    let mut kinds = Vec::new();
    let take = |live: crate::plan::Live| kinds.extend(catalog.by_resource(live.name()).cloned());
    match live::list_part(cluster, &resource, None, &query, Part::Metadata, take).await {
        Ok(()) => Ok(kinds),
        Err(RequestError::Status(status)) if status.code == 403 => Ok(kinds),
        Err(error) => Err(SetError::request(
            "list the definitions of parents".to_owned(),
            &error,
        )),
    }
}

async fn describe(cluster: &Cluster, catalog: &Catalog, parent: &Parent, object: &Value) -> Listed {
    let annotation = |key: &str| object["metadata"]["annotations"][key].as_str();
    let tooling =
        annotation(marks::TOOLING).map(|text| text.parse().unwrap_or_else(|never| match never {}));
    let mut faults = Vec::new();
    if tooling.is_none() {
        faults.push(format!("the annotation {} is missing", marks::TOOLING));
    }
    if object["metadata"]["labels"][marks::ID] != parent.id().as_str() {
        faults.push(format!("the label {} belongs to another parent", marks::ID));
    }
    let kinds = annotation(marks::KINDS).map(|text| parts(text).map(GroupKind::parse).collect());
    if kinds.is_none() {
        faults.push(format!("the annotation {} is missing", marks::KINDS));
    }
    let namespaces = annotation(marks::NAMESPACES)
        .map(parts)
        .into_iter()
        .flatten()
        .map(str::to_owned);
    let reach = Reach {
        kinds: kinds.unwrap_or_default(),
        namespaces: namespaces.chain(parent.namespace.clone()).collect(),
    };
    let search = members::Search {
        id: &parent.id(),
        reach: &reach,
        part: Part::Metadata,
        targets: &HashSet::new(),
    };
    let census = members::list(cluster, catalog, search).await;
    Listed {
        parent: parent.clone(),
        tooling,
        reach,
        members: census
            .map(|census| census.total)
            .map_err(|error| error.to_string()),
        faults,
    }
}
