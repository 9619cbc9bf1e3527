//! Taking over from client-side apply. What `kubectl apply` without
//! `--server-side` wrote belongs to a manager with operation `Update`; unless
//! those fields become ours, a field that is removed from the manifest stays
//! in the object for ever.
//!
//! The result is that of client-go's `util/csaupgrade`, save that a
//! last-applied annotation that would then belong to nobody goes away as well.

use serde_json::{Value, json};

use crate::fields::{FieldSet, PathElement};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The JSON patch that makes fields of client-side applies fields that
/// `manager` applied; `None` if there are none. It applies only to this
/// resource version of the object: a newer one answers 409.
///
/// Fields of other managers stay theirs. The annotation that client-side apply
/// keeps becomes the manager's too, so the next apply without it removes it.
#[must_use]
pub fn migration(live: &Value, manager: &str) -> Option<Value> {
    let metadata = &live["metadata"];
    let before = metadata["managedFields"].as_array()?;
    let predecessors = client_side(before);
    let mut entries = before.clone();
    for predecessor in &predecessors {
        take_over(&mut entries, predecessor, manager);
    }
    if entries == *before {
        return None;
    }
    let orphaned = metadata["annotations"].get(LAST_APPLIED).is_some()
        && !entries.iter().any(owns_last_applied);
    let mut patch = vec![
        json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}),
        // Not "test": that would answer 422, this answers 409.
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}),
    ];
    if orphaned {
        let key = LAST_APPLIED.replace('/', "~1");
        patch.push(json!({"op": "remove", "path": format!("/metadata/annotations/{key}")}));
    }
    Some(Value::Array(patch))
}

/// Names of the managers whose updates own the last-applied annotation.
pub(crate) fn client_side(entries: &[Value]) -> Vec<String> {
    let mut names: Vec<_> = entries
        .iter()
        .filter(|entry| entry["operation"] == "Update" && owns_last_applied(entry))
        .filter_map(|entry| entry["manager"].as_str())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

fn owns_last_applied(entry: &Value) -> bool {
    // A look before a parse: most entries have no annotations at all.
    entry["fieldsV1"]["f:metadata"]["f:annotations"].is_object()
        && FieldSet::parse(&entry["fieldsV1"]).is_ok_and(|fields| {
            fields.contains(
                &["metadata", "annotations", LAST_APPLIED]
                    .map(|name| PathElement::Field(name.into())),
            )
        })
}

/// Gives the predecessor's updates to the manager's apply entry, which one of
/// them becomes if there is none. Updates in another version are dropped: what
/// they own cannot be told in this one.
fn take_over(entries: &mut Vec<Value>, predecessor: &str, manager: &str) {
    let theirs = |entry: &Value| is_of(entry, predecessor, "Update");
    let existing = entries
        .iter()
        .position(|entry| is_of(entry, manager, "Apply"));
    let Some(index) = existing.or_else(|| entries.iter().position(theirs)) else {
        return;
    };
    let mut target = entries[index].clone();
    let version = target["apiVersion"].clone();
    let added = entries
        .iter()
        .find(|entry| theirs(entry) && entry["apiVersion"] == version);
    if let Some(added) = added
        && let (Ok(ours), Ok(more)) = (
            FieldSet::parse(&target["fieldsV1"]),
            FieldSet::parse(&added["fieldsV1"]),
        )
    {
        target["fieldsV1"] = ours.union(&more).to_value();
    }
    target["manager"] = manager.into();
    target["operation"] = "Apply".into();
    entries[index] = target;
    entries.retain(|entry| !theirs(entry));
}

fn is_of(entry: &Value, manager: &str, operation: &str) -> bool {
    entry["manager"] == manager
        && entry["operation"] == operation
        && entry["subresource"].as_str().is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, version: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": version,
               "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: &[Value]) -> Value {
        json!({"metadata": {"resourceVersion": "7", "annotations": {LAST_APPLIED: "{}"},
                            "managedFields": entries}})
    }

    fn client(data: &str) -> Value {
        json!({"f:data": {data: {}}, "f:metadata": {"f:annotations": {".": {}, format!("f:{LAST_APPLIED}"): {}}}})
    }

    #[test]
    fn an_update_that_keeps_the_annotation_becomes_our_apply() {
        let other = entry(
            "controller",
            "Update",
            "v1",
            &json!({"f:data": {"f:c": {}}}),
        );
        let live = object(&[
            entry("kubectl-client-side-apply", "Update", "v1", &client("f:a")),
            other.clone(),
        ]);
        let patch = migration(&live, "kapply").unwrap();
        assert_eq!(
            patch[0]["value"],
            json!([entry("kapply", "Apply", "v1", &client("f:a")), other])
        );
        assert_eq!(patch[1]["value"], "7");
        assert_eq!(patch.as_array().unwrap().len(), 2);
    }

    #[test]
    fn several_updates_join_the_entry_that_is_there() {
        let live = object(&[
            entry("kapply", "Apply", "v1", &json!({"f:data": {"f:b": {}}})),
            entry("old", "Update", "v1", &client("f:a")),
            entry("older", "Update", "v1", &client("f:c")),
        ]);
        let patch = migration(&live, "kapply").unwrap();
        let fields = &patch[0]["value"][0]["fieldsV1"];
        assert_eq!(fields["f:data"], json!({"f:a": {}, "f:b": {}, "f:c": {}}));
        assert_eq!(patch[0]["value"].as_array().unwrap().len(), 1);
        let mut after = live.clone();
        after["metadata"]["managedFields"] = patch[0]["value"].clone();
        assert_eq!(migration(&after, "kapply"), None);
    }

    #[test]
    fn an_annotation_that_would_be_nobodys_goes() {
        let live = object(&[
            entry("kapply", "Apply", "v2", &json!({"f:data": {"f:b": {}}})),
            entry("old", "Update", "v1", &client("f:a")),
        ]);
        let patch = migration(&live, "kapply").unwrap();
        assert_eq!(
            patch[2],
            json!({"op": "remove", "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"})
        );
    }

    #[test]
    fn others_are_left_alone() {
        for entries in [
            vec![],
            vec![entry(
                "edit",
                "Update",
                "v1",
                &json!({"f:data": {"f:a": {}}}),
            )],
            vec![entry("other", "Apply", "v1", &client("f:a"))],
        ] {
            assert_eq!(migration(&object(&entries), "kapply"), None);
        }
        assert_eq!(migration(&json!({"metadata": {}}), "kapply"), None);
    }
}
