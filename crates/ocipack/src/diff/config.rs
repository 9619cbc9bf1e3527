//! JSON documents field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Comparison;

impl Comparison {
    /// Compares two documents, but for the fields in `but`, which are compared in other ways.
    pub(super) fn documents(&mut self, object: &str, a: &[u8], b: &[u8], but: &[&str]) {
        let (a, b) = (fields(a, but), fields(b, but));
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            self.add(object, name, a.get(name).cloned(), b.get(name).cloned());
        }
    }
}

fn fields(document: &[u8], but: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let document: Value = serde_json::from_slice(document).unwrap_or(Value::Null);
    for (name, value) in document.as_object().into_iter().flatten() {
        if !but.contains(&name.as_str()) {
            flatten(name.clone(), value, &mut found);
        }
    }
    found
}

/// Objects and lists of objects are gone into; a list of words is one value.
fn flatten(name: String, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(format!("{name}.{key}"), value, found);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (number, value) in list.iter().enumerate() {
                flatten(format!("{name}[{number}]"), value, found);
            }
        }
        Value::String(text) => drop(found.insert(name, text.clone())),
        other => drop(found.insert(name, other.to_string())),
    }
}
