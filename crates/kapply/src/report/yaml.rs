//! JSON values as YAML that every reader takes the same way, YAML 1.1 or 1.2:
//! a string stands unquoted only where nobody could take it for anything else.

use std::fmt::Write as _;

use serde_json::Value;

use crate::decode::resolve_scalar;

/// The values as documents of one stream.
#[must_use]
pub fn documents<'value>(values: impl IntoIterator<Item = &'value Value>) -> String {
    let mut text = String::new();
    for value in values {
        text.push_str("---\n");
        node(&mut text, value, 0);
    }
    text
}

/// `key: value` with all that is in the value, indented.
pub(crate) fn entry(key: &str, value: &Value, indent: usize) -> String {
    let mut text = " ".repeat(indent) + &plain_key(key);
    text.push(':');
    member(&mut text, value, indent);
    text
}

/// `- value` with all that is in the value, indented.
pub(crate) fn item(value: &Value, indent: usize) -> String {
    let mut text = " ".repeat(indent);
    text.push('-');
    match value {
        Value::Object(map) if !map.is_empty() => nested(&mut text, value, indent),
        Value::Array(items) if !items.is_empty() => nested(&mut text, value, indent),
        _ => scalar(&mut text, value, indent),
    }
    text
}

/// A key as it stands before its colon.
pub(crate) fn plain_key(key: &str) -> String {
    let mut text = String::new();
    inline_string(&mut text, key);
    text
}

/// Writes a block node whose first line is already indented.
fn node(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    spaces(text, indent);
                }
                inline_string(text, key);
                text.push(':');
                member(text, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    spaces(text, indent);
                }
                text.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => nested(text, item, indent),
                    Value::Array(items) if !items.is_empty() => nested(text, item, indent),
                    _ => scalar(text, item, indent),
                }
            }
        }
        other => {
            scalar(text, other, indent);
        }
    }
}

/// The first member of a nested collection stands behind its dash.
fn nested(text: &mut String, item: &Value, indent: usize) {
    text.push(' ');
    node(text, item, indent + 2);
}

/// The value behind `key:`.
fn member(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            spaces(text, indent + 2);
            node(text, value, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            spaces(text, indent);
            node(text, value, indent);
        }
        _ => scalar(text, value, indent),
    }
}

fn scalar(text: &mut String, value: &Value, indent: usize) {
    text.push(' ');
    match value {
        Value::String(string) if fits_block(string) => return block(text, string, indent + 2),
        Value::String(string) => inline_string(text, string),
        Value::Object(_) => text.push_str("{}"),
        Value::Array(_) => text.push_str("[]"),
        Value::Number(number) => text.push_str(&number_text(&number.to_string())),
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

/// YAML 1.1 floats have a dot and a signed exponent.
fn number_text(number: &str) -> String {
    let Some((mantissa, exponent)) = number.split_once('e') else {
        return number.to_owned();
    };
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) {
        ""
    } else {
        "+"
    };
    format!("{mantissa}{dot}e{sign}{exponent}")
}

/// Text of several lines that a literal block keeps as it is.
fn fits_block(string: &str) -> bool {
    let body = string.trim_end_matches('\n');
    body.contains('\n')
        && !body.starts_with([' ', '\n'])
        && string
            .chars()
            .all(|char| matches!(char, '\n' | '\t') || is_printable(char))
        && body
            .lines()
            .all(|line| !line.ends_with(' ') && !line.starts_with('\t'))
}

fn block(text: &mut String, string: &str, indent: usize) {
    let body = string.trim_end_matches('\n');
    text.push_str(match string.len() - body.len() {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            spaces(text, indent);
        }
        text.push_str(line);
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(
        '\n',
        (string.len() - body.len()).saturating_sub(1),
    ));
}

fn inline_string(text: &mut String, string: &str) {
    if is_plain(string) {
        text.push_str(string);
        return;
    }
    text.push('"');
    for char in string.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            char if is_printable(char) => text.push(char),
            // Writing to a String cannot fail.
            char => drop(write!(text, "\\u{:04x}", u32::from(char))),
        }
    }
    text.push('"');
}

/// Starts like a word, holds nothing that means anything to YAML, and is no
/// word such as `yes` or `null`.
fn is_plain(string: &str) -> bool {
    let starts =
        string.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/' || char == '_');
    let inner = |char: char| char.is_ascii_alphanumeric() || " _./@+=:-".contains(char);
    starts
        && string.chars().all(inner)
        && !string.ends_with([' ', ':'])
        && !string.contains(": ")
        && resolve_scalar(string).is_ok_and(|value| value.is_string())
}

/// Characters that a YAML stream may hold and that no reader folds or drops.
fn is_printable(char: char) -> bool {
    matches!(char, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

fn spaces(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::decode::parse_yaml;

    #[test]
    fn output_is_what_people_write() {
        let value = json!({"kind": "Pod", "spec": {"list": [{"a": 1, "b": ["x", []]}, [1, 2]], "empty": {}},
            "text": "one\n  two\n", "mode": "0400", "yes": "no", "image": "a/b:1", "float": 1e30});
        insta::assert_snapshot!(documents([&value]), @r#"
        ---
        kind: Pod
        spec:
          list:
          - a: 1
            b:
            - x
            - []
          - - 1
            - 2
          empty: {}
        text: |
          one
            two
        mode: "0400"
        "yes": "no"
        image: a/b:1
        float: 1.0e+30
        "#);
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for string in [
            "yes",
            "y",
            "0400",
            "1e3",
            "~",
            "",
            "null",
            "<<",
            "=",
            "- a",
            "a: b",
            "a #b",
            "# a",
            "12:30",
            "2001-01-01",
            "a\u{85}b",
            "a\u{feff}",
            ".5",
            " a",
            "a ",
            "|",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
        ] {
            assert!(!is_plain(string), "{string:?}");
            assert_eq!(
                parse_yaml(&documents([&json!({ string: string })])).unwrap(),
                [json!({ string: string })]
            );
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let string = prop_oneof![
            "\\PC{0,12}",
            "[yYnNoOefstr0-9.:_+ #\n\t-]{0,10}",
            "([a-z ]{0,5}\n){0,4}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            string.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(string.clone(), inner, 0..5)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_value()) {
            let text = documents([&value]);
            prop_assert_eq!(parse_yaml(&text).unwrap(), [value], "{}", text);
        }
    }
}
