//! The API server quotes what it refuses. For a Secret that would put its
//! values into terminals and CI logs, so they are taken out of every message.

use serde_json::Value;

use crate::object::Object;

const MASK: &str = "***";

/// The message without anything that may come from the Secret's values; the
/// message as it is for objects of other kinds.
pub(crate) fn mask(object: &Object, message: &str) -> String {
    if object.kind() != "Secret" || !object.group().is_empty() {
        return message.to_owned();
    }
    let mut message = mask_quoted(object, message);
    let mut values = Vec::new();
    for field in ["data", "stringData"] {
        leaves(&object.value[field], &mut values);
    }
    // Longest first: a short value may be a part of a longer one.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values.iter().filter(|value| !value.is_empty()) {
        message = mask_word(&message, value);
    }
    message
}

/// Masks every quoted run that is not a name the user needs to find the spot.
fn mask_quoted(object: &Object, message: &str) -> String {
    let mut known = vec![object.name(), "Secret", "secrets", "data", "stringData"];
    known.extend(object.namespace());
    for field in ["data", "stringData"] {
        known.extend(
            object.value[field]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str()),
        );
    }
    let mut masked = String::new();
    let mut rest = message;
    while let Some(start) = rest.find('"') {
        let inside = &rest[start + 1..];
        let end = closing_quote(inside);
        let quoted = &inside[..end];
        masked.push_str(&rest[..=start]);
        masked.push_str(if known.contains(&quoted) {
            quoted
        } else {
            MASK
        });
        masked.push('"');
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    masked + rest
}

/// Where the quoted text ends; its whole length if nothing closes it.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Masks a value where it stands alone, or anywhere if it is long enough to be no coincidence.
pub(crate) fn mask_word(message: &str, value: &str) -> String {
    if value.len() >= 6 {
        return message.replace(value, MASK);
    }
    let mut masked = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(value) {
        let word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
        let before = rest[..at]
            .chars()
            .next_back()
            .or_else(|| masked.chars().next_back());
        let alone = !word(before) && !word(rest[at + value.len()..].chars().next());
        masked.push_str(&rest[..at]);
        masked.push_str(if alone { MASK } else { value });
        rest = &rest[at + value.len()..];
    }
    masked + rest
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(map) => map.values().for_each(|value| leaves(value, found)),
        Value::Null => {}
        scalar => found.push(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    fn secret() -> Object {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"password": "hunter2-not-base64", "pin": 4711}, "stringData": {"token": "abc"}});
        Object {
            value,
            place: Place::file("f"),
            document: 0,
        }
    }

    #[test]
    fn values_never_pass() {
        for message in [
            r#"Secret "s" is invalid: data: Invalid value: "{\"password\":\"hunter2-not-base64\"}": no"#,
            "failed: .data.pin: expected string, got &value.valueUnstructured{Value:4711}",
            "decoding hunter2-not-base64 failed, abc too",
            r#"unterminated "hunter2-not-base64"#,
        ] {
            let masked = mask(&secret(), message);
            for value in ["hunter2", "4711", "abc"] {
                assert!(!masked.contains(value), "{masked}");
            }
        }
        assert_eq!(
            mask(&secret(), r#"Secret "s" is invalid: key "password""#),
            r#"Secret "s" is invalid: key "password""#
        );
    }

    #[test]
    fn other_kinds_keep_their_messages() {
        let mut object = secret();
        object.value["kind"] = "ConfigMap".into();
        assert_eq!(mask(&object, "got \"abc\""), "got \"abc\"");
    }
}
