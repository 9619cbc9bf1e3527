//! One server-side apply request: what is sent, and what its answer tells.
//! Plans send it as a dry run, applies for good.

mod brief;
mod conflict;
mod field_path;

use http::Request;
use jiff::Timestamp;
use kube::{
    api::{Patch, PatchParams, ValidationDirective},
    core::{Request as ApiRequest, Status},
};
use serde_json::Value;

pub use self::conflict::FieldConflict;
use crate::{
    connect::{Cluster, Reply, RequestError, Retry, is_about_the_object},
    live,
    mask::Mask,
    plan::Live,
    resolve::Target,
};

/// How to send an apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'run> {
    pub(crate) field_manager: &'run str,
    pub(crate) dry_run: bool,
    /// Takes fields from other managers.
    pub(crate) force: bool,
    /// The only resource version on which this may act.
    pub(crate) only_if: Option<&'run str>,
    pub(crate) retry: Retry,
}

/// What a successful apply, dry or not, answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
    /// The object as it is or would be stored.
    pub(crate) object: Value,
}

/// Why an apply was refused. Texts hold no value of a Secret.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Other managers own fields of it with other values.
    Conflict(Vec<FieldConflict>),
    /// It is not what `only_if` asked for any more.
    Moved,
    /// The object's namespace does not exist.
    NoNamespace,
    /// An admission webhook cannot judge dry runs.
    NoDryRun(String),
    /// The object, or the change, is not valid.
    Invalid(String),
    /// The account may not do it, or a policy or quota forbids it.
    Forbidden(String),
    /// Everything else.
    Failed(String),
}

/// Sends the target as a server-side apply patch with strict field validation.
/// `live` lets conflicts say what the others want.
pub(crate) async fn send(
    cluster: &Cluster,
    target: &Target,
    live: Option<&Live>,
    terms: Terms<'_>,
) -> Result<Answer, Refusal> {
    let request = request(target, terms).map_err(|error| Refusal::Failed(error.to_string()))?;
    match cluster.send(&request, terms.retry).await {
        Ok(reply) => answer(&reply, target, live, &cluster.mask),
        Err(error) => Err(refusal(
            target,
            live,
            &error,
            terms.field_manager,
            &cluster.mask,
        )),
    }
}

fn request(
    target: &Target,
    terms: Terms<'_>,
) -> Result<Request<Vec<u8>>, kube::core::request::Error> {
    let path = live::collection(&target.resource, target.namespace.as_deref());
    let params = PatchParams {
        dry_run: terms.dry_run,
        force: terms.force,
        field_manager: Some(terms.field_manager.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
    };
    let object = &target.object.value;
    let request = ApiRequest::new(path);
    let Some(version) = terms.only_if else {
        return request.patch(target.object.name(), &params, &Patch::Apply(object));
    };
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = version.into();
    request.patch(target.object.name(), &params, &Patch::Apply(object))
}

fn answer(
    reply: &Reply,
    target: &Target,
    live: Option<&Live>,
    mask: &Mask,
) -> Result<Answer, Refusal> {
    let object = serde_json::from_slice(&reply.body)
        .map_err(|error| Refusal::Failed(format!("the answer is no object ({error})")))?;
    Ok(Answer {
        created: reply.code == 201,
        // An admission policy may quote what it warns of.
        warnings: reply
            .warnings
            .iter()
            .map(|warning| mask.message(&target.object, live, warning))
            .collect(),
        object,
    })
}

/// What an error answer to a request about this target means.
pub(crate) fn refusal(
    target: &Target,
    live: Option<&Live>,
    error: &RequestError,
    field_manager: &str,
    mask: &Mask,
) -> Refusal {
    let text = mask.message(&target.object, live, &error.to_string());
    let text = brief::brief(&text);
    let RequestError::Status(status) = error else {
        return Refusal::Failed(text);
    };
    let conflicts = conflict::conflicts(status, &target.object, live, field_manager, mask);
    match status.code {
        409 if !conflicts.is_empty() => Refusal::Conflict(conflicts),
        409 if status.reason == "Conflict" => Refusal::Moved,
        404 if target.namespace.is_some() && is_about_a_namespace(status) => Refusal::NoNamespace,
        400 if status.message.contains("does not support dry run") => Refusal::NoDryRun(text),
        400 | 413 | 422 => Refusal::Invalid(text),
        // A broken manifest makes the patch handler fail before validation: a 500 by its own account.
        500 if is_about_the_object(&status.message) => Refusal::Invalid(text),
        401 | 403 => Refusal::Forbidden(text),
        _ => Refusal::Failed(text),
    }
}

fn is_about_a_namespace(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.kind == "namespaces")
}

/// Whether two states of an object differ in anything but what moves although
/// nothing changes: resource versions, the times of managed fields and, where no
/// field is `manager`'s, the server's bookkeeping for objects it did not track before.
pub(crate) fn differ(before: &Value, after: &Value, manager: &str) -> bool {
    let owns_fields = after["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|entry| entry["manager"] == manager && entry["operation"] == "Apply");
    comparable(before, owns_fields) != comparable(after, owns_fields)
}

fn comparable(object: &Value, owns_fields: bool) -> Value {
    let mut object = object.clone();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return object;
    };
    metadata.remove("resourceVersion");
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

/// When a manager's entry was last written, as its `managedFields` say.
pub(crate) fn since(entry: &Value) -> Option<Timestamp> {
    entry["time"].as_str()?.parse().ok()
}
