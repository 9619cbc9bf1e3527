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

/// The object without the server's bookkeeping and without its status.
pub(crate) fn without_noise(object: &Value) -> Value {
    let Some(map) = object.as_object() else {
        return object.clone();
    };
    // Built anew: managed fields are often the largest part of an object.
    map.iter()
        .filter(|(key, _)| *key != "status")
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
