//! Results as one JSON document with stable field names.

use serde_json::{Map, Value, json};

use super::waited;
use crate::{
    apply::{Applied, Outcome},
    object::Object,
    resolve::Target,
    wait::{End, Waited},
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
    for name in Outcome::NAMES {
        let count = results
            .iter()
            .filter(|applied| applied.outcome.name() == name)
            .count();
        summary.insert(name.to_owned(), count.into());
    }
    if let Some(end) = end {
        summary.insert("wait".to_owned(), waited::end_name(end).into());
    }
    let objects: Vec<_> = targets
        .iter()
        .zip(results)
        .enumerate()
        .map(|(index, (target, applied))| {
            let mut entry = identity(target);
            describe(&mut entry, applied);
            if let Some((_, found)) = waits.iter().find(|(waited, _)| *waited == index) {
                entry["wait"] = waited::entry_of(found);
            }
            entry
        })
        .collect();
    json!({"objects": objects, "summary": summary})
}

/// The objects as a `List`.
#[must_use]
pub fn list<'object>(objects: impl IntoIterator<Item = &'object Object>) -> Value {
    let items: Vec<_> = objects.into_iter().map(|object| &object.value).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

pub(super) fn identity(target: &Target) -> Value {
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
