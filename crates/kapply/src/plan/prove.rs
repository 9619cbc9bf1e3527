//! Proving without a request that applying an object would change nothing.
//!
//! Equal values prove nothing: an apply also changes who owns what, and the
//! order of a list. So three things are compared: the fields that the object
//! claims with those that the manager already owns, their values, and the
//! order of list items. Whatever is not certain is a doubt, for the server to settle.

mod compare;

use serde_json::Value;

use self::compare::Comparison;
use crate::{
    fields::{self, Doubt, FieldSet, PathElement, claim::is_stripped},
    migrate,
    schema::Schema,
};

/// Whether applying `desired` as `manager` over `live` changes nothing, by the
/// kind's schema. What admission would newly do to the object is not foreseen.
///
/// # Errors
/// The first [`Doubt`].
pub fn unchanged(
    desired: &Value,
    live: &Value,
    schema: &Schema,
    manager: &str,
) -> Result<(), Doubt> {
    if !schema.served {
        return Err(Doubt::new("the cluster does not serve the kind yet"));
    }
    same_object(desired, live)?;
    let owned = owned(live, manager)?;
    if migrate::migration(live, manager).is_some() {
        return Err(Doubt::new(
            "fields of a client-side apply are to be taken over",
        ));
    }
    settled(desired, schema)?;
    Comparison { schema }.root(desired, live)?;
    let owned = FieldSet::parse(owned).map_err(|_| Doubt::new("its field set cannot be read"))?;
    if fields::claim(desired, schema)? != owned {
        return Err(Doubt::new("the manager owns other fields"));
    }
    Ok(())
}

fn same_object(desired: &Value, live: &Value) -> Result<(), Doubt> {
    for key in ["apiVersion", "kind"] {
        if !desired[key].is_string() || desired[key] != live[key] {
            return Err(Doubt::new("it was read as another kind or version").field(key));
        }
    }
    let (ours, theirs) = (&desired["metadata"], &live["metadata"]);
    if !ours["name"].is_string() || ours["name"] != theirs["name"] {
        return Err(Doubt::new("it was read under another name"));
    }
    if ours.get("namespace") != theirs.get("namespace") {
        return Err(Doubt::new("it was read from another namespace"));
    }
    if theirs.get("deletionTimestamp").is_some() {
        return Err(Doubt::new("it is being deleted"));
    }
    let known = ["name", "namespace"];
    let fields = ours.as_object().into_iter().flatten();
    for (key, value) in fields.filter(|(key, _)| is_stripped(key)) {
        // Generators write `creationTimestamp: null`, which means nothing.
        let harmless = key == "creationTimestamp" && value.is_null();
        if !harmless && !known.contains(&key.as_str()) {
            let doubt = Doubt::new("only the server writes this field");
            return Err(doubt.field(key).field("metadata"));
        }
    }
    // The server turns it into `data`, and it is never read back.
    if desired["kind"] == "Secret" && desired.get("stringData").is_some() {
        return Err(Doubt::new("it is only written, never read").field("stringData"));
    }
    Ok(())
}

/// `fieldsV1` of the manager's one entry.
fn owned<'live>(live: &'live Value, manager: &str) -> Result<&'live Value, Doubt> {
    if manager == "kubectl" {
        // The server rewrites the last-applied annotation for this one.
        return Err(Doubt::new("the manager is kubectl"));
    }
    let entries = live["metadata"]["managedFields"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut ours = None;
    for entry in entries {
        // An entry of a version that is not served any more goes away with the next apply.
        if entry["apiVersion"] != live["apiVersion"] {
            return Err(Doubt::new("a manager wrote it in another version"));
        }
        let whole = entry["subresource"].as_str().is_none_or(str::is_empty);
        if entry["manager"] == manager && entry["operation"] == "Apply" && whole {
            if ours.is_some() {
                return Err(Doubt::new("the manager has two entries"));
            }
            ours = entry.get("fieldsV1");
        }
    }
    ours.ok_or_else(|| Doubt::new("the manager has not applied it yet"))
}

/// Refuses to judge what the server may make something else of: nulls, empty
/// objects and empty lists that are merged leave other traces than they say.
fn settled(desired: &Value, schema: &Schema) -> Result<(), Doubt> {
    for (key, value) in desired.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_object()) {
            ("status", _) if schema.status => {}
            ("metadata", Some(metadata)) => {
                let owned = metadata.iter().filter(|(name, _)| !is_stripped(name));
                for (name, value) in owned {
                    has_content(value).map_err(|doubt| doubt.field(name).field(key))?;
                }
            }
            _ => has_content(value).map_err(|doubt| doubt.field(key))?,
        }
    }
    Ok(())
}

fn has_content(value: &Value) -> Result<(), Doubt> {
    match value {
        Value::Null => Err(Doubt::new("it is null")),
        Value::Object(object) if object.is_empty() => Err(Doubt::new("it is an empty object")),
        Value::Object(object) => object
            .iter()
            .try_for_each(|(key, value)| has_content(value).map_err(|doubt| doubt.field(key))),
        Value::Array(items) => (0..).zip(items).try_for_each(|(index, item)| {
            has_content(item).map_err(|doubt| doubt.below(PathElement::Index(index)))
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        let text = json!({"type": "string"});
        Schema::sample(
            &json!({"type": "object", "properties": {"status": {"type": "object"}, "spec": {"type": "object", "properties": {
            "a": text, "b": text, "words": {"type": "array", "items": text},
            "env": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": text, "value": text}}}}}}}),
        )
    }

    fn desired() -> Value {
        json!({"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "x"},
            "spec": {"a": "1", "words": ["u", "v"], "env": [{"name": "M", "value": "1"}, {"name": "N", "value": "2"}]}})
    }

    fn live() -> Value {
        let mut live = desired();
        live["spec"]["b"] = json!("default");
        live["spec"]["env"]
            .as_array_mut()
            .unwrap()
            .insert(0, json!({"name": "L"}));
        live["metadata"]["managedFields"] = json!([
            {"manager": "other", "operation": "Update", "apiVersion": "x.io/v1", "fieldsV1": {"f:spec": {"f:b": {}}}},
            {"manager": "kapply", "operation": "Apply", "apiVersion": "x.io/v1", "fieldsV1": {"f:spec": {
                "f:a": {}, "f:words": {}, "f:env": {
                    "k:{\"name\":\"M\"}": {".": {}, "f:name": {}, "f:value": {}},
                    "k:{\"name\":\"N\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}]);
        live
    }

    fn doubt(desired: &Value, live: &Value) -> String {
        let result = unchanged(desired, live, &schema(), "kapply");
        result.map_or_else(|doubt| doubt.to_string(), |()| "none".to_owned())
    }

    #[test]
    fn the_same_object_is_unchanged() {
        assert_eq!(doubt(&desired(), &live()), "none");
        let mut generated = desired();
        generated["metadata"]["creationTimestamp"] = Value::Null;
        generated["status"] = json!({});
        assert_eq!(doubt(&generated, &live()), "none");
    }

    #[test]
    fn another_wish_is_doubted() {
        for (pointer, value, expected) in [
            ("/spec/a", json!("2"), ".spec.a: its value differs"),
            ("/spec/a", json!(null), ".spec.a: it is null"),
            ("/spec/a", json!({}), ".spec.a: it is an empty object"),
            ("/spec/env", json!([]), ".spec.env: it is an empty list"),
            (
                "/spec/words",
                json!(["v", "u"]),
                ".spec.words: its value differs",
            ),
            (
                "/spec",
                json!({"b": "default"}),
                "the manager owns other fields",
            ),
            (
                "/kind",
                json!("Y"),
                ".kind: it was read as another kind or version",
            ),
            (
                "/metadata/name",
                json!("y"),
                "it was read under another name",
            ),
        ] {
            let mut desired = desired();
            *desired.pointer_mut(pointer).unwrap() = value;
            assert_eq!(doubt(&desired, &live()), expected);
        }
        let mut turned = desired();
        turned["spec"]["env"].as_array_mut().unwrap().reverse();
        let expected = ".spec.env[name=\"M\"]: it is not there, or in another place of the list";
        assert_eq!(doubt(&turned, &live()), expected);
        let mut pinned = desired();
        pinned["metadata"]["uid"] = json!("1");
        let expected = ".metadata.uid: only the server writes this field";
        assert_eq!(doubt(&pinned, &live()), expected);
    }

    #[test]
    fn another_past_is_doubted() {
        for (pointer, value, expected) in [
            (
                "/metadata/managedFields/1/manager",
                json!("other"),
                "the manager has not applied it yet",
            ),
            (
                "/metadata/managedFields/1/operation",
                json!("Update"),
                "the manager has not applied it yet",
            ),
            (
                "/metadata/managedFields/0/apiVersion",
                json!("x.io/v0"),
                "a manager wrote it in another version",
            ),
            (
                "/metadata/managedFields/1/fieldsV1",
                json!({"f:spec": {"f:a": {}}}),
                "the manager owns other fields",
            ),
            (
                "/metadata/managedFields/1/fieldsV1",
                json!({"spec": {}}),
                "its field set cannot be read",
            ),
        ] {
            let mut live = live();
            *live.pointer_mut(pointer).unwrap() = value;
            assert_eq!(doubt(&desired(), &live), expected);
        }
        let mut going = live();
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(doubt(&desired(), &going), "it is being deleted");
        let mut twice = live();
        let entries = twice["metadata"]["managedFields"].as_array_mut().unwrap();
        entries.push(entries[1].clone());
        assert_eq!(doubt(&desired(), &twice), "the manager has two entries");
        let mut unserved = schema();
        unserved.served = false;
        assert!(unchanged(&desired(), &live(), &unserved, "kapply").is_err());
    }
}
