//! The object that stands for a set. Only its metadata is ever read, so the
//! data of a Secret that is a parent never comes here.

use std::fmt;

use kube::core::ApiResource;

use super::{SetError, SetRef, id, marks};
use crate::{
    connect::Cluster,
    discover::Catalog,
    live::{self, Part},
    plan::Live,
};

/// The name of a set's parent object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its resource.
    pub resource: ApiResource,
    /// Its namespace; `None` for a parent of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Parent {
    /// The set's ID, as kubectl computes it.
    #[must_use]
    pub fn id(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        id::id(
            &self.name,
            namespace,
            &self.resource.kind,
            &self.resource.group,
        )
    }

    /// Whether it is made when it is missing. Custom resources are their users'.
    pub(crate) fn is_built_in(&self) -> bool {
        is_built_in(&self.resource)
    }

    pub(crate) fn path(&self) -> String {
        let collection = live::collection(&self.resource, self.namespace.as_deref());
        format!("{collection}/{}", self.name)
    }

    /// The object's metadata; `None` if it does not exist.
    pub(crate) async fn read(&self, cluster: &Cluster) -> Result<Option<Live>, SetError> {
        let found = live::get_part(cluster, &self.path(), Part::Metadata).await;
        found.map_err(|error| SetError::request(format!("read {self}"), &error))
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.resource.kind.to_lowercase())?;
        if !self.resource.group.is_empty() {
            write!(out, ".{}", self.resource.group)?;
        }
        write!(out, "/{}", self.name)?;
        match &self.namespace {
            Some(namespace) => write!(out, " (namespace {namespace})"),
            None => Ok(()),
        }
    }
}

/// Finds out what a reference names. A parent with a namespace needs that given
/// in so many words, as kubectl demands: the same name in the namespace of
/// another context is another set.
///
/// # Errors
/// The resource is unknown or no parent type, or there is no namespace.
pub(crate) async fn locate(
    cluster: &Cluster,
    catalog: &Catalog,
    reference: &SetRef,
    namespace: Option<&str>,
) -> Result<Parent, SetError> {
    let refuse = |reason: String| SetError::Reference {
        reference: reference.to_string(),
        reason,
    };
    let Some(known) = catalog.by_resource(&reference.resource) else {
        let reason = format!(
            "the cluster serves no resource `{}`; a bare NAME is a Secret",
            reference.resource
        );
        return Err(refuse(reason));
    };
    if known.namespaced && namespace.is_none() {
        return Err(refuse(format!(
            "give the namespace of the {} with -n; the same name in another namespace is another set",
            known.resource.kind
        )));
    }
    if !is_built_in(&known.resource) && !is_parent_type(cluster, &known.resource).await? {
        return Err(refuse(format!(
            "a {} cannot be the parent of a set: Secrets and ConfigMaps can, and custom resources whose CRD has the label {}",
            known.resource.kind,
            marks::PARENT_TYPE
        )));
    }
    Ok(Parent {
        resource: known.resource.clone(),
        namespace: namespace.filter(|_| known.namespaced).map(str::to_owned),
        name: reference.name.clone(),
    })
}

fn is_built_in(resource: &ApiResource) -> bool {
    resource.group.is_empty() && matches!(resource.kind.as_str(), "Secret" | "ConfigMap")
}

async fn is_parent_type(cluster: &Cluster, resource: &ApiResource) -> Result<bool, SetError> {
    let name = format!("{}.{}", resource.plural, resource.group);
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    let definition = live::get_part(cluster, &path, Part::Metadata)
        .await
        .map_err(|error| {
            let what = format!(
                "read the definition {name}, which says whether its objects can be parents of sets"
            );
            SetError::request(what, &error)
        })?;
    Ok(definition.is_some_and(|found| {
        found.value["metadata"]["labels"]
            .get(marks::PARENT_TYPE)
            .is_some()
    }))
}
