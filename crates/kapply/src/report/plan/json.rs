//! A plan as one JSON document; docs/kapply-json.md describes it.

use serde_json::{Map, Value, json};

use super::{ObjectView, PruneView, View};

/// `{objects: [...], prunes: [...], summary: {...}}`
#[must_use]
pub fn document(view: &View) -> Value {
    let objects: Vec<_> = view.objects.iter().map(object).collect();
    let prunes: Vec<_> = view.prunes.iter().map(prune).collect();
    json!({"objects": objects, "prunes": prunes, "summary": view.summary})
}

fn object(object: &ObjectView) -> Value {
    let mut entry = json!({"apiVersion": object.api_version, "kind": object.kind, "namespace": object.namespace,
        "name": object.name, "file": object.file, "line": object.line, "action": object.action});
    let Some(map) = entry.as_object_mut() else {
        return entry;
    };
    for (name, value) in [
        ("proof", object.proof),
        ("checked", object.checked),
        ("blocked", object.blocked),
        ("reason", object.reason.as_deref()),
    ] {
        if let Some(value) = value {
            map.insert(name.to_owned(), value.into());
        }
    }
    insert(map, "changes", json!(object.changes()));
    insert(map, "conflicts", json!(object.conflicts));
    insert(map, "overridden", json!(object.overridden));
    insert(map, "notes", json!(object.notes));
    insert(map, "warnings", json!(object.warnings));
    entry
}

/// Lists that are empty are left out.
fn insert(map: &mut Map<String, Value>, name: &str, list: Value) {
    if list != json!([]) {
        map.insert(name.to_owned(), list);
    }
}

fn prune(prune: &PruneView) -> Value {
    let mut entry = json!({"apiVersion": prune.api_version, "kind": prune.kind, "namespace": prune.namespace,
        "name": prune.name, "verdict": prune.verdict});
    if let Some(reason) = &prune.reason {
        entry["reason"] = reason.as_str().into();
    }
    entry
}
