//! Fields that cannot change. The API has no one reason for them, so an update
//! that is invalid although a new object like it would be valid counts as one.

use kube::{api::PostParams, core::Request as ApiRequest};
use serde_json::Value;

use super::{Action, Blocked, Live, Step, leftover, planner::Planner};
use crate::{
    connect::{RequestError, Retry},
    live,
    object::Object,
    resolve::Target,
};

/// How Kubernetes' own validation words it: `field is immutable`, `updates to
/// statefulset spec for fields other than …`, `cannot change roleRef`.
const SAYINGS: &[&str] = &[
    "field is immutable",
    "is immutable after creation",
    "may not change once set",
    "updates to provisioner are forbidden",
    "updates to statefulset spec",
    "cannot change roleRef",
    "may not be changed",
    "pod updates may not change fields",
];

/// Whether an invalid update is one of an immutable field, and what follows.
pub(super) async fn judge(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    reason: String,
) -> Step {
    let says_so = says_so(&reason);
    let may_recreate = is_named(&target.object, &planner.options.recreate)
        && never_recreated(&target.object).is_none();
    let action = match create_anew(planner, target).await {
        Ok(after) if may_recreate => Action::Recreate { after, reason },
        Ok(_) if !says_so => {
            let live = live.as_ref().map(|live| &live.value);
            let desired = &target.object.value;
            let advice = live.and_then(|live| leftover::advice(&reason, desired, live));
            Action::Blocked(match advice {
                Some(advice) => Blocked::Invalid(format!("{reason}; {advice}")),
                None => Blocked::Immutable(reason),
            })
        }
        Err(_) if !says_so => Action::Blocked(Blocked::Invalid(reason)),
        _ => Action::Blocked(Blocked::Immutable(reason)),
    };
    Step {
        live,
        ..Step::of(action)
    }
}

/// What the server would store for a new object like this one.
async fn create_anew(planner: &Planner<'_>, target: &Target) -> Result<Value, String> {
    let name = target.object.name();
    let mut object = target.object.anew().value;
    // Names end in a letter or digit, and some kinds allow no more than 63 characters.
    let short: String = name.chars().take(50).collect();
    object["metadata"]["name"] = format!("{short}-kapply-try").into();
    let path = live::collection(&target.resource, target.namespace.as_deref());
    let params = PostParams {
        dry_run: true,
        field_manager: Some(planner.options.field_manager.clone()),
    };
    let body = serde_json::to_vec(&object).map_err(|error| error.to_string())?;
    let request = ApiRequest::new(path)
        .create(&params, body)
        .map_err(|error| error.to_string())?;
    let reply = planner
        .cluster
        .send(&request, Retry::Transient)
        .await
        .map_err(|error: RequestError| {
            planner
                .cluster
                .mask
                .message(&target.object, None, &error.to_string())
        })?;
    let mut after: Value =
        serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
    after["metadata"]["name"] = name.into();
    Ok(after)
}

/// Whether one of these names, `KIND[.GROUP]/NAME` in lower case, means the object.
pub(crate) fn is_named(object: &Object, names: &[String]) -> bool {
    let bare = format!("{}/{}", object.kind().to_lowercase(), object.name());
    let full = object.label().to_string();
    names.iter().any(|name| *name == bare || *name == full)
}

/// Why an object cannot become what the manifest says, and what can be done.
pub(super) fn explain(object: &Object, reason: &str) -> String {
    let what = if says_so(reason) {
        "a field that cannot change would have to"
    } else {
        "an update cannot come to this, though a new object could"
    };
    let way_out = never_recreated(object).map_or_else(
        || {
            let label = object.label();
            format!("--recreate={label} deletes the object and creates it anew")
        },
        str::to_owned,
    );
    format!("{what}: {reason}; {way_out}")
}

fn says_so(reason: &str) -> bool {
    SAYINGS.iter().any(|saying| reason.contains(saying))
}

/// Kinds whose deletion takes more with it than the object.
pub(super) fn never_recreated(object: &Object) -> Option<&'static str> {
    match (object.group(), object.kind()) {
        ("", "PersistentVolumeClaim") => {
            Some("a PersistentVolumeClaim is never recreated: its data would be lost")
        }
        ("", "Namespace") => Some("a Namespace is never recreated: everything in it would be lost"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            Some("a CustomResourceDefinition is never recreated: all its objects would be lost")
        }
        _ => None,
    }
}
