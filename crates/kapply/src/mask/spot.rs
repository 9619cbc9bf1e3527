//! Where an object keeps what must not be shown.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::MaskRule;
use crate::diff::escape;

/// Annotations in which tools keep a copy of the whole object, in whatever form.
const COPIES: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kapp.k14s.io/original",
    "objectset.rio.cattle.io/applied",
];

/// A hidden value's place.
pub(super) struct Spot {
    /// JSON Pointer.
    pub(super) pointer: String,
    /// Whether the value is base64 of what it means.
    encoded: bool,
    /// Whether it is a copy of an object that hides nothing: its words are in the
    /// object for everybody to read, and only the copy as such is left out.
    pub(super) is_public: bool,
}

impl Spot {
    /// What the value means: two values with equal bytes are the same secret.
    pub(super) fn bytes(&self, value: &Value) -> Vec<u8> {
        let text = text(value);
        let decoded = self.encoded.then(|| decode(&text)).flatten();
        decoded.unwrap_or_else(|| text.into_bytes())
    }
}

/// The value as text: a string as it is, everything else as JSON.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Go's decoder skips line ends.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.replace(['\r', '\n'], "")).ok()
}

/// The core kind Secret, in any version there may be.
pub(super) fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
        && object["apiVersion"]
            .as_str()
            .is_none_or(|version| !version.contains('/'))
}

/// All hidden values of an object that are there.
pub(super) fn spots(object: &Value, rules: &[MaskRule]) -> Vec<Spot> {
    let mut spots = Vec::new();
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let applies = |rule: &&MaskRule| object["kind"] == rule.kind.as_str() && group == rule.group;
    let is_public = !is_secret(object) && !rules.iter().any(|rule| applies(&rule));
    for key in COPIES {
        let pointer = format!("/metadata/annotations/{}", escape(key));
        if object.pointer(&pointer).is_some() {
            spots.push(Spot {
                pointer,
                encoded: false,
                is_public,
            });
        }
    }
    if is_secret(object) {
        members(object, "/data", true, &mut spots);
        members(object, "/stringData", false, &mut spots);
    }
    for rule in rules.iter().filter(applies) {
        follow(object, &rule.path, "", &mut spots);
    }
    spots
}

/// The members of a map, or what else is there.
fn members(object: &Value, pointer: &str, encoded: bool, spots: &mut Vec<Spot>) {
    match object.pointer(pointer) {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => spots.extend(map.keys().map(|key| Spot {
            pointer: format!("{pointer}/{}", escape(key)),
            encoded,
            is_public: false,
        })),
        Some(_) => spots.push(Spot {
            pointer: pointer.to_owned(),
            encoded,
            is_public: false,
        }),
    }
}

fn follow(object: &Value, path: &[String], pointer: &str, spots: &mut Vec<Spot>) {
    let Some((part, rest)) = path.split_first() else {
        return members(object, pointer, false, spots);
    };
    if part != "*" {
        return follow(object, rest, &format!("{pointer}/{}", escape(part)), spots);
    }
    match object.pointer(pointer) {
        Some(Value::Object(map)) => {
            for key in map.keys() {
                follow(object, rest, &format!("{pointer}/{}", escape(key)), spots);
            }
        }
        Some(Value::Array(items)) => {
            for index in 0..items.len() {
                follow(object, rest, &format!("{pointer}/{index}"), spots);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_find_values_anywhere() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"containers": [
            {"env": [{"name": "A", "value": "x"}, {"name": "B"}]}, {"env": [{"value": "y"}]}]}});
        let rules = ["Deployment.apps=/spec/containers/*/env/*/value"
            .parse()
            .unwrap()];
        let found: Vec<_> = spots(&object, &rules)
            .into_iter()
            .map(|spot| spot.pointer)
            .collect();
        assert_eq!(
            found,
            [
                "/spec/containers/0/env/0/value",
                "/spec/containers/1/env/0/value"
            ]
        );
        let other = ["Deployment=/spec".parse().unwrap()];
        assert!(spots(&object, &other).is_empty());
    }
}
