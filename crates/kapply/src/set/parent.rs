//! The object that stands for a set. Only its metadata is ever read, so the
//! data of a Secret that is a parent never comes here.

use std::fmt;

use http::Request;
use kube::{api::DynamicObject, core::ApiResource};
use serde_json::Value;

use super::{SetError, SetRef, id, marks};
use crate::{
    connect::{Cluster, RequestError, Retry},
    discover::Catalog,
};

/// Asks for nothing but the metadata of an object.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

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
        id::id(&self.name, namespace, &self.resource.kind, &self.resource.group)
    }

    /// Whether it is made when it is missing. Custom resources are their users'.
    pub(crate) fn is_built_in(&self) -> bool {
        is_built_in(&self.resource)
    }

    pub(crate) fn path(&self) -> String {
        let collection = DynamicObject::url_path(&self.resource, self.namespace.as_deref());
        format!("{collection}/{}", self.name)
    }

    /// The object's metadata as a whole object without the rest; `None` if it does not exist.
    pub(crate) async fn read(&self, cluster: &Cluster) -> Result<Option<Value>, SetError> {
        read_metadata(cluster, &self.path()).await.map_err(|cause| SetError::Request {
            what: format!("read {self}"),
            cause,
        })
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
        let reason = format!("the cluster serves no resource `{}`; a bare NAME is a Secret", reference.resource);
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
    let definition = read_metadata(cluster, &path).await.map_err(|cause| SetError::Request {
        what: format!("read the definition {name}, which says whether its objects can be parents of sets"),
        cause,
    })?;
    let labels = definition.as_ref().and_then(|found| found.pointer("/metadata/labels"));
    Ok(labels.is_some_and(|labels| labels.get(marks::PARENT_TYPE).is_some()))
}

async fn read_metadata(cluster: &Cluster, path: &str) -> Result<Option<Value>, String> {
    let request = Request::get(path).header("accept", METADATA).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    match cluster.send(&request, Retry::Transient).await {
        Ok(reply) => serde_json::from_slice(&reply.body)
            .map(Some)
            .map_err(|error| format!("the answer is no object ({error})")),
        Err(RequestError::Status(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
