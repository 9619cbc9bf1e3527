//! One server-side apply request, and what its answer tells.

use http::Request;
use jiff::Timestamp;
use kube::{
    Resource as _,
    api::{DynamicObject, Patch, PatchParams, ValidationDirective},
    core::{Request as ApiRequest, Status},
};
use serde::Deserialize;
use serde_json::Value;

use super::{ApplyOptions, conflict, result::Outcome};
use crate::{
    connect::{Cluster, Reply, RequestError, Retry},
    resolve::Target,
};

/// What a successful apply, dry or not, answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) created: bool,
    /// After a dry run: of the live object. Otherwise: after the change.
    pub(crate) resource_version: String,
    /// When our part of the object last changed, to the second.
    pub(crate) changed_at: Option<Timestamp>,
    /// The server's clock, to the second.
    pub(crate) date: Option<Timestamp>,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// Why an apply was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The object's namespace does not exist.
    NoNamespace,
    /// An admission webhook cannot judge dry runs.
    NoDryRun(String),
    /// Everything that is final for this object.
    Final(Outcome),
}

/// Sends the target as a server-side apply patch with strict field validation.
pub(crate) async fn patch(
    cluster: &Cluster,
    target: &Target,
    options: &ApplyOptions,
    dry_run: bool,
    retry: Retry,
) -> Result<Answer, Refusal> {
    let request = request(target, options, dry_run)
        .map_err(|error| Refusal::Final(Outcome::Failed(error.to_string())))?;
    match cluster.send(&request, retry).await {
        Ok(reply) => answer(reply, options).map_err(|error| Refusal::Final(Outcome::Failed(error))),
        Err(error) => Err(refusal(cluster, target, &error)),
    }
}

fn request(
    target: &Target,
    options: &ApplyOptions,
    dry_run: bool,
) -> Result<Request<Vec<u8>>, kube::core::request::Error> {
    let path = DynamicObject::url_path(&target.resource, target.namespace.as_deref());
    let params = PatchParams {
        dry_run,
        force: options.force_conflicts,
        field_manager: Some(options.field_manager.clone()),
        field_validation: Some(ValidationDirective::Strict),
    };
    ApiRequest::new(path).patch(
        target.object.name(),
        &params,
        &Patch::Apply(&target.object.value),
    )
}

fn answer(reply: Reply, options: &ApplyOptions) -> Result<Answer, String> {
    let live: Live = serde_json::from_slice(&reply.body)
        .map_err(|error| format!("the answer is no object ({error})"))?;
    let ours = |entry: &&ManagedFields| {
        entry.manager == options.field_manager
            && entry.operation == "Apply"
            && entry.subresource.is_empty()
    };
    Ok(Answer {
        created: reply.code == 201,
        changed_at: live
            .metadata
            .managed_fields
            .iter()
            .find(ours)
            .and_then(|entry| entry.time),
        resource_version: live.metadata.resource_version,
        date: reply.date,
        warnings: reply.warnings,
        body: reply.body,
    })
}

fn refusal(cluster: &Cluster, target: &Target, error: &RequestError) -> Refusal {
    if let RequestError::Status(status) = error {
        let conflicts = conflict::conflicts(status);
        if !conflicts.is_empty() {
            return Refusal::Final(Outcome::Conflict(conflicts));
        }
        if target.namespace.is_some() && is_missing_namespace(status) {
            return Refusal::NoNamespace;
        }
        if status.message.contains("does not support dry run") {
            return Refusal::NoDryRun(cluster.mask.message(&target.object, &status.message));
        }
    }
    Refusal::Final(Outcome::Failed(
        cluster.mask.message(&target.object, &error.to_string()),
    ))
}

fn is_missing_namespace(status: &Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_some_and(|details| details.kind == "namespaces")
}

/// Whether a dry run's result differs from what is live.
///
/// # Errors
/// The live object cannot be read.
pub(crate) async fn differs_from_live(
    cluster: &Cluster,
    target: &Target,
    answer: &Answer,
) -> Result<bool, Refusal> {
    let failed = |error: String| Refusal::Final(Outcome::Failed(error));
    let path = DynamicObject::url_path(&target.resource, target.namespace.as_deref());
    let request = Request::get(format!("{path}/{}", target.object.name())).body(Vec::new());
    let reply = cluster
        .send(
            &request.map_err(|error| failed(error.to_string()))?,
            Retry::Transient,
        )
        .await
        .map_err(|error| refusal(cluster, target, &error))?;
    let owns_fields = answer.changed_at.is_some();
    let parse = |body: &[u8]| match serde_json::from_slice(body) {
        Ok(object) => Ok(comparable(object, owns_fields)),
        Err(_) => Err(failed("the answer is no object".to_owned())),
    };
    Ok(parse(&answer.body)? != parse(&reply.body)?)
}

/// The object without what moves although nothing changes: the times of managed
/// fields and, where none of them is ours, the server's bookkeeping for objects
/// that it had not tracked before.
fn comparable(mut object: Value, owns_fields: bool) -> Value {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return object;
    };
    if !owns_fields {
        metadata.remove("managedFields");
    }
    for entry in metadata
        .get_mut("managedFields")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        entry.as_object_mut().map(|entry| entry.remove("time"));
    }
    object
}

// The parts of a live object that tell whether an apply changed it.

#[derive(Deserialize)]
struct Live {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    managed_fields: Vec<ManagedFields>,
}

#[derive(Deserialize)]
struct ManagedFields {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    subresource: String,
    time: Option<Timestamp>,
}
