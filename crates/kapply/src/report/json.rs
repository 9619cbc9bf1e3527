//! Results as one JSON document with stable field names.

use serde_json::{Map, Value, json};

use crate::{
    apply::{Applied, Outcome},
    object::Object,
    resolve::Target,
    wait::{End, State, WaitReport, Waited},
};

/// `{objects: [...], summary: {...}}` of an apply; `waits` has what was waited for, by target index.
#[must_use]
pub fn applied(
    targets: &[Target],
    results: &[Applied],
    waits: &[(usize, Waited)],
    end: Option<End>,
) -> Value {
    let mut summary = Map::new();
    for name in [
        "created",
        "configured",
        "recreated",
        "unchanged",
        "conflict",
        "failed",
        "skipped",
    ] {
        let count = results
            .iter()
            .filter(|applied| applied.outcome.name() == name)
            .count();
        summary.insert(name.to_owned(), count.into());
    }
    if let Some(end) = end {
        summary.insert("wait".to_owned(), end_name(end).into());
    }
    let objects: Vec<_> = targets
        .iter()
        .zip(results)
        .enumerate()
        .map(|(index, (target, applied))| {
            let mut entry = identity(target);
            describe(&mut entry, applied);
            if let Some((_, waited)) = waits.iter().find(|(waited, _)| *waited == index) {
                entry["wait"] = status(waited);
            }
            entry
        })
        .collect();
    json!({"objects": objects, "summary": summary})
}

/// `{objects: [...], summary: {...}}` of a wait.
#[must_use]
pub fn waited(targets: &[Target], report: &WaitReport) -> Value {
    let objects: Vec<_> = targets
        .iter()
        .zip(&report.objects)
        .map(|(target, waited)| {
            let mut entry = identity(target);
            entry["wait"] = status(waited);
            entry
        })
        .collect();
    let count = |state| {
        report
            .objects
            .iter()
            .filter(|waited| waited.status.state == state)
            .count()
    };
    json!({"objects": objects, "summary": {
        "wait": end_name(report.end), "ready": count(State::Ready), "pending": count(State::Pending), "failed": count(State::Failed)}})
}

/// The objects as a `List`.
#[must_use]
pub fn list<'object>(objects: impl IntoIterator<Item = &'object Object>) -> Value {
    let items: Vec<_> = objects.into_iter().map(|object| &object.value).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn identity(target: &Target) -> Value {
    let object = &target.object;
    json!({"apiVersion": object.api_version(), "kind": object.kind(), "namespace": target.namespace, "name": object.name(),
           "file": &*object.place.file, "line": object.place.line})
}

fn describe(entry: &mut Value, applied: &Applied) {
    entry["outcome"] = applied.outcome.name().into();
    match &applied.outcome {
        Outcome::Failed(reason) | Outcome::Skipped(reason) => {
            entry["error"] = reason.as_str().into();
        }
        Outcome::Conflict(conflicts) => {
            entry["error"] = "other managers own fields with other values".into();
            entry["conflicts"] = json!(conflicts);
        }
        _ => {}
    }
    if let Some(note) = &applied.note {
        entry["note"] = note.as_str().into();
    }
    if !applied.warnings.is_empty() {
        entry["warnings"] = json!(applied.warnings);
    }
}

fn status(waited: &Waited) -> Value {
    let state = match waited.status.state {
        State::Ready => "ready",
        State::Pending => "pending",
        State::Failed => "failed",
    };
    json!({"state": state, "message": waited.status.message, "details": waited.details})
}

fn end_name(end: End) -> &'static str {
    match end {
        End::Ready => "ready",
        End::Failed => "failed",
        End::TimedOut => "timed out",
        End::Interrupted => "interrupted",
    }
}
