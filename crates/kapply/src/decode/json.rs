//! JSON text to values: several documents may follow each other, and a key
//! given twice is refused, as in YAML.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    scalar,
    yaml::{self, Document, Malformed},
};

/// All documents of a text, one after the other or parted by `---`.
pub(crate) fn documents(text: &str) -> Result<Vec<Document>, Malformed> {
    let mut documents = Vec::new();
    let (mut rest, mut line) = (text, 1);
    loop {
        let skipped = rest.len() - rest.trim_start().len();
        line += newlines(&rest[..skipped]);
        rest = &rest[skipped..];
        if rest.is_empty() {
            return rounded(text).map_or(Ok(documents), Err);
        }
        if let Some(next) = rest.strip_prefix("---")
            && next.starts_with(|next: char| next.is_whitespace())
        {
            rest = next;
            continue;
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Strict>();
        let value = match stream.next() {
            Some(Ok(Strict(value))) => value,
            Some(Err(error)) => return yaml_instead(text, line - 1 + error.line(), &error),
            None => return Ok(documents),
        };
        let (read, next) = rest.split_at(stream.byte_offset());
        let item_lines = if value["items"].is_array() {
            item_lines(read, line)
        } else {
            Vec::new()
        };
        documents.push(Document {
            value,
            line,
            item_lines,
        });
        line += newlines(read);
        rest = next;
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Where a list's items stand. JSON that is no YAML too, as with surrogate
/// pairs, goes without.
fn item_lines(text: &str, line: usize) -> Vec<usize> {
    let read = yaml::documents(text).ok().and_then(|mut found| found.pop());
    let lines = read.map_or_else(Vec::new, |document| document.item_lines);
    lines.into_iter().map(|item| line - 1 + item).collect()
}

/// A text that only looks like JSON is YAML, as for kubectl; if it is neither,
/// JSON's complaint is the better one. A key given twice is refused by both,
/// and YAML's message knows both lines.
fn yaml_instead(
    text: &str,
    line: usize,
    error: &serde_json::Error,
) -> Result<Vec<Document>, Malformed> {
    let message = error.to_string();
    // serde_json adds the position, which is known anyway.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let malformed = Malformed {
        line,
        message: message.to_owned(),
    };
    // YAML would make a string of 1e400.
    if message == "number out of range" {
        return Err(malformed);
    }
    let read = yaml::documents(text);
    if error.is_data() {
        return read;
    }
    read.map_err(|_| malformed)
}

/// An integer of a JSON text that Kubernetes would round to a float.
fn rounded(text: &str) -> Option<Malformed> {
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'\n' => line += 1,
            b'"' => {
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let more = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
                at += bytes[at..].iter().take_while(|byte| more(byte)).count();
                let number = &text[start..at];
                let is_integer = !number.contains(['.', 'e', 'E']) && number != "---";
                if is_integer && number.parse::<i64>().is_err() {
                    let message = scalar::too_large();
                    return Some(Malformed { line, message });
                }
            }
            _ => {}
        }
    }
    None
}

/// A JSON value without duplicate keys, with numbers as Go writes them.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        // Beyond 64 bits with sign it is refused where it stands, see `rounded`.
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(scalar::float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!(
                    "the key `{key}` is given twice in this object; keep one of them"
                )));
            }
            let Strict(value) = access.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_may_follow_each_other() {
        let found = documents("{\"a\": 1}\n\n{\"b\": \"\\ud83d\\ude00\"}").unwrap();
        assert_eq!((found[0].line, &found[0].value), (1, &json!({"a": 1})));
        assert_eq!((found[1].line, &found[1].value), (3, &json!({"b": "😀"})));
        let found = documents("{}\n---\n{\"b\": 1}\n---\n").unwrap();
        assert_eq!((found.len(), found[1].line), (2, 3));
        // YAML may follow, and then all of it is.
        assert_eq!(documents("{}\n---\nb: 1\n").unwrap()[1].line, 3);
    }

    #[test]
    fn duplicates_and_garbage_are_refused() {
        let error = documents("{\"a\": 1,\n\"a\": 2}").unwrap_err();
        assert!(
            error.line == 2
                && error
                    .message
                    .contains("`a` is given twice in this mapping, first on line 1"),
            "{error:?}"
        );
        assert!(documents("{\"a\": 1}}").is_err() && documents("{\"a\": [1}").is_err());
    }

    #[test]
    fn whole_floats_are_integers() {
        assert_eq!(
            documents("{\"replicas\": 3.0}").unwrap()[0].value,
            json!({"replicas": 3})
        );
    }

    #[test]
    fn numbers_that_would_be_rounded_are_refused() {
        for number in [
            "9223372036854775808",
            "-9223372036854775809",
            "100000000000000000000",
            "1e400",
        ] {
            assert!(
                documents(&format!("{{\"a\": {number}}}")).is_err(),
                "{number}"
            );
        }
        assert_eq!(
            documents("{\"a\": 1e20, \"b\": \"\\\"9223372036854775808\"}").unwrap()[0].value["a"],
            1e20
        );
    }

    #[test]
    fn items_know_their_lines() {
        let found = documents("\n{\"items\": [\n {\"a\": 1},\n\n {\"b\": 2}]}").unwrap();
        assert_eq!(found[0].item_lines, [3, 5]);
    }
}
