//! Messages of the server without the objects that they quote: for a Job whose
//! template would change, that is the whole template.

use serde::de::IgnoredAny;

/// What stands before a quoted value.
const QUOTING: &str = "Invalid value: ";
/// Longer values say less than their place does.
const MAX: usize = 240;

/// The message with long quoted objects and lists cut short.
pub(super) fn brief(message: &str) -> String {
    let mut short = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(QUOTING) {
        let (before, value) = rest.split_at(at + QUOTING.len());
        short.push_str(before);
        let length = json_length(value);
        rest = &value[length..];
        match value.as_bytes().first() {
            Some(b'{') if length > MAX => short.push_str("{…}"),
            Some(b'[') if length > MAX => short.push_str("[…]"),
            _ => short.push_str(&value[..length]),
        }
    }
    short + rest
}

/// How long the JSON value is that a text begins with; 0 if it is none.
fn json_length(text: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_objects_are_cut_and_the_rest_is_kept() {
        let object = format!(r#"{{"labels":{{"a":"{}"}}}}"#, "x".repeat(300));
        let message = format!(
            "spec.template: Invalid value: {object}: field is immutable, spec.x: Invalid value: 3: no"
        );
        assert_eq!(
            brief(&message),
            "spec.template: Invalid value: {…}: field is immutable, spec.x: Invalid value: 3: no"
        );
        for kept in [
            r#"spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable"#,
            "name: Invalid value: core.Pod{}: no JSON",
            "nothing is quoted",
            "Invalid value: ",
        ] {
            assert_eq!(brief(kept), kept);
        }
    }
}
