//! One deletion, of exactly the object that was judged.

use http::Request;
use serde_json::{Value, json};

use super::{Cascade, DeleteOptions, Fate, Victim, hold};
use crate::{
    connect::{Cluster, RequestError, Retry},
    live::{self, Part},
    plan::Live,
    set,
};

/// Tries while a controller keeps writing the object.
const TRIES: usize = 8;

/// Asks the server to delete the object with the UID and resource version that
/// were judged. If it has changed since, it is judged again. [`Fate::Held`]
/// means: accepted, and not gone yet.
pub(super) async fn delete(cluster: &Cluster, victim: &Victim, options: &DeleteOptions) -> Fate {
    // Admission may quote what it denies to delete, and only metadata was read of it.
    let failed = |error: &RequestError| {
        Fate::Failed(cluster.mask.unread(&victim.resource, &error.to_string()))
    };
    let mut version = victim.live.resource_version().to_owned();
    for _ in 0..TRIES {
        let error = match send(cluster, victim, &version, options).await {
            Ok(_) if options.dry_run => return Fate::Deleted,
            // A Status, or the object as it last was: it is gone. What is held has its deletion time.
            Ok(answer) if answer["metadata"]["deletionTimestamp"].is_null() => {
                return Fate::Deleted;
            }
            Ok(answer) => return Fate::Held(hold::reason(&answer)),
            Err(error) => error,
        };
        match &error {
            RequestError::Status(status) if status.code == 404 => return Fate::Missing,
            RequestError::Status(status) if status.code == 409 => {}
            error => return failed(error),
        }
        match live::get_part(cluster, &victim.path(), Part::Metadata).await {
            Ok(None) => return Fate::Missing,
            Ok(Some(live)) => match reprieve(victim, &live) {
                Some(reason) => return Fate::Kept(reason),
                // Not even this version: the refusal is about something else.
                None if live.resource_version() == version => {
                    return failed(&error);
                }
                None => live.resource_version().clone_into(&mut version),
            },
            Err(error) => return failed(&error),
        }
    }
    Fate::Kept("it kept changing while it was to be deleted; run again".to_owned())
}

/// Why an object that has changed is not the one that was judged any more.
fn reprieve(victim: &Victim, live: &Live) -> Option<String> {
    if live.uid() != victim.live.uid() {
        return Some("it was replaced by a new object of the same name".to_owned());
    }
    let id = victim.member_of.as_deref()?;
    if set::id_of(&live.value) != Some(id) {
        return Some("it left the set meanwhile".to_owned());
    }
    if let Some(controller) = set::controller(live) {
        return Some(format!("{controller} has taken it over meanwhile"));
    }
    set::keeping_annotation(live)
        .map(|annotation| format!("its annotation {annotation} was set meanwhile"))
}

async fn send(
    cluster: &Cluster,
    victim: &Victim,
    version: &str,
    options: &DeleteOptions,
) -> Result<Value, RequestError> {
    let policy = match options.cascade {
        Cascade::Background => "Background",
        Cascade::Foreground => "Foreground",
        Cascade::Orphan => "Orphan",
    };
    let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy,
        "preconditions": {"uid": victim.live.uid(), "resourceVersion": version}});
    if options.dry_run {
        body["dryRun"] = json!(["All"]);
    }
    let request = Request::delete(victim.path())
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|error| RequestError::Transport(error.to_string()))?;
    let reply = cluster.send(&request, Retry::Transient).await?;
    serde_json::from_slice(&reply.body)
        .map_err(|error| RequestError::Transport(format!("the answer is no object ({error})")))
}
