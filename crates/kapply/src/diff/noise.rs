//! What the server writes by itself, and what nobody wants to see in a diff.

use serde_json::Value;

/// Bookkeeping of the server in `metadata`.
const METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// How an object begins.
const FIRST: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The object without the server's bookkeeping and without its status.
pub(crate) fn without_noise(object: &Value) -> Value {
    let Some(map) = object.as_object() else {
        return object.clone();
    };
    // Servers do not write these first everywhere.
    let first = FIRST.iter().filter_map(|key| map.get_key_value(*key));
    let rest = map
        .iter()
        .filter(|(key, _)| !FIRST.contains(&key.as_str()) && *key != "status");
    // Built anew: managed fields are often the largest part of an object.
    first
        .chain(rest)
        .map(|(key, value)| {
            let value = match value {
                Value::Object(metadata) if key == "metadata" => metadata
                    .iter()
                    .filter(|(key, _)| !METADATA.contains(&key.as_str()))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
                value => value.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}
