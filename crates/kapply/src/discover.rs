//! Stage 3b: what the cluster serves. Two requests (aggregated discovery) give
//! the resource name and the scope of every kind.

pub(crate) mod builtin;
pub(crate) mod definitions;
mod lookup;

use std::collections::HashMap;

use http::Request;
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize;

use crate::{
    connect::{Cluster, RequestError, Retry},
    error::Error,
};

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What is known about a kind: where its objects live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKind {
    /// Group, version, kind and plural.
    pub resource: ApiResource,
    /// Whether its objects belong to a namespace.
    pub namespaced: bool,
    /// Other names that people give to the resource: its singular and short names.
    pub aliases: Vec<String>,
    /// What can be done with it, such as `list` and `delete`.
    pub verbs: Vec<String>,
    /// Its subresources, such as `status` and `scale`.
    pub subresources: Vec<String>,
}

impl KnownKind {
    /// Whether the resource serves a verb.
    #[must_use]
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }
}

/// The kinds that a cluster serves.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    kinds: HashMap<GroupVersionKind, KnownKind>,
    /// The same kinds in the server's order: the preferred version of a group first.
    order: Vec<GroupVersionKind>,
    /// Group versions whose API service did not answer the server.
    stale: Vec<String>,
}

impl Catalog {
    /// A kind, if the cluster serves it.
    #[must_use]
    pub fn get(&self, gvk: &GroupVersionKind) -> Option<&KnownKind> {
        self.kinds.get(gvk)
    }

    /// A catalog of these kinds, for what needs one without a cluster.
    #[cfg(test)]
    pub(crate) fn of(kinds: impl IntoIterator<Item = (GroupVersionKind, KnownKind)>) -> Self {
        let mut catalog = Self::default();
        for (gvk, known) in kinds {
            catalog.order.push(gvk.clone());
            catalog.kinds.insert(gvk, known);
        }
        catalog
    }

    /// Why a kind is missing and what may be meant instead.
    pub(crate) fn why_missing(&self, gvk: &GroupVersionKind) -> String {
        let api_version = gvk.api_version();
        if self.stale.contains(&api_version) {
            return format!(
                "the API service of {api_version} does not answer (see `kubectl get apiservices`)"
            );
        }
        let mut others: Vec<_> = self
            .kinds
            .keys()
            .filter(|known| known.kind == gvk.kind)
            .map(GroupVersionKind::api_version)
            .collect();
        others.sort();
        if others.is_empty() {
            "no CustomResourceDefinition in the cluster or the input defines it; check the spelling or add its CRD".to_owned()
        } else {
            format!("the cluster serves {} as {}", gvk.kind, others.join(", "))
        }
    }
}

/// Asks the cluster for its kinds.
///
/// # Errors
/// [`Error::Unreachable`] or [`Error::Refused`].
pub async fn discover(cluster: &Cluster) -> Result<Catalog, Error> {
    let (core, groups) = futures::try_join!(list(cluster, "/api"), list(cluster, "/apis"))?;
    if core.kind != "APIGroupDiscoveryList" || groups.kind != "APIGroupDiscoveryList" {
        return Err(Error::Refused {
            url: cluster.url.clone(),
            what: "aggregated discovery",
            cause: "it answered in the old format; Kubernetes 1.27 or newer is needed".to_owned(),
        });
    }
    let mut catalog = Catalog::default();
    for group in core.items.into_iter().chain(groups.items) {
        for version in group.versions {
            catalog.add(&group.metadata.name, version);
        }
    }
    Ok(catalog)
}

async fn list(cluster: &Cluster, path: &str) -> Result<GroupList, Error> {
    const WHAT: &str = "discovery";
    let request = Request::get(path).header("accept", ACCEPT).body(Vec::new());
    let request = request
        .map_err(|error| cluster.fatal(WHAT, &RequestError::Transport(error.to_string())))?;
    let reply = cluster
        .send(&request, Retry::Contact)
        .await
        .map_err(|error| cluster.fatal(WHAT, &error))?;
    serde_json::from_slice(&reply.body).map_err(|error| {
        cluster.fatal(
            WHAT,
            &RequestError::Transport(format!("this is no Kubernetes API server ({error})")),
        )
    })
}

impl Catalog {
    fn add(&mut self, group: &str, version: GroupVersion) {
        if version.freshness == "Stale" {
            self.stale
                .push(GroupVersionKind::gvk(group, &version.version, "").api_version());
        }
        for served in version.resources {
            let Some(kind) = served.response_kind else {
                continue;
            };
            // An empty group or version there means this document's own.
            let own = |text: String, fallback: &str| {
                if text.is_empty() {
                    fallback.to_owned()
                } else {
                    text
                }
            };
            let gvk = GroupVersionKind::gvk(
                &own(kind.group, group),
                &own(kind.version, &version.version),
                &kind.kind,
            );
            // The path is this document's group version, whatever the body's is.
            if (gvk.group.as_str(), gvk.version.as_str()) != (group, version.version.as_str()) {
                continue;
            }
            if self.kinds.contains_key(&gvk) {
                continue;
            }
            let known = KnownKind {
                resource: ApiResource::from_gvk_with_plural(&gvk, &served.resource),
                namespaced: served.scope == "Namespaced",
                aliases: served
                    .short_names
                    .into_iter()
                    .chain([served.singular_resource])
                    .filter(|name| !name.is_empty())
                    .collect(),
                verbs: served.verbs,
                subresources: served
                    .subresources
                    .into_iter()
                    .map(|subresource| subresource.subresource)
                    .collect(),
            };
            self.order.push(gvk.clone());
            self.kinds.insert(gvk, known);
        }
    }
}

// The parts of apidiscovery.k8s.io/v2 that matter here.

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Name,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct GroupVersion {
    version: String,
    resources: Vec<Served>,
    freshness: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Served {
    resource: String,
    response_kind: Option<ResponseKind>,
    scope: String,
    singular_resource: String,
    short_names: Vec<String>,
    verbs: Vec<String>,
    subresources: Vec<Subresource>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subresource {
    subresource: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseKind {
    group: String,
    version: String,
    kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_group_and_version() {
        let text = r#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"apps"},"versions":[
            {"version":"v1","freshness":"Current","resources":[
              {"resource":"deployments","scope":"Namespaced","responseKind":{"group":"","version":"","kind":"Deployment"}}]},
            {"version":"v2","freshness":"Stale"}]}]}"#;
        let list: GroupList = serde_json::from_str(text).unwrap();
        let mut catalog = Catalog::default();
        for version in list.items.into_iter().flat_map(|group| group.versions) {
            catalog.add("apps", version);
        }
        let found = catalog
            .get(&GroupVersionKind::gvk("apps", "v1", "Deployment"))
            .unwrap();
        assert_eq!(
            (found.resource.plural.as_str(), found.namespaced),
            ("deployments", true)
        );
        assert!(
            catalog
                .why_missing(&GroupVersionKind::gvk(
                    "extensions",
                    "v1beta1",
                    "Deployment"
                ))
                .contains("apps/v1")
        );
        assert!(
            catalog
                .why_missing(&GroupVersionKind::gvk("apps", "v2", "Thing"))
                .contains("does not answer")
        );
    }
}
