//! What the server would refuse in a new object, as far as its schema tells.
//! Never stricter than the server: what is not certain passes.

use std::{collections::BTreeSet, fmt};

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use super::{
    List, Schema, Shape, Type,
    types::{Bounds, Edge, Rules},
};
use crate::fields::claim::{is_stripped, item_element};

/// One thing that the server would refuse. Carries no values of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, such as `.spec.ports[0].port`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// Whether nothing can mend it on the way. A webhook may still put in what
    /// is required or correct a value, but no unknown field or other type gets that far.
    pub certain: bool,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.message)
    }
}

/// Everything about an object that is to be created that its schema forbids.
#[must_use]
pub fn validate(desired: &Value, schema: &Schema) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut walk = Walk {
        schema,
        path: String::new(),
        found: &mut found,
    };
    walk.object_root(desired);
    found
}

struct Walk<'walk> {
    schema: &'walk Schema,
    path: String,
    found: &'walk mut Vec<Violation>,
}

impl Walk<'_> {
    fn object_root(&mut self, desired: &Value) {
        let root = self.schema.of(self.schema.root());
        let Some(object) = desired.as_object() else {
            return self.refuse("it must be an object".to_owned());
        };
        self.required(root, object);
        for (key, value) in object {
            let ignored = match key.as_str() {
                "apiVersion" | "kind" => true,
                "status" => self.schema.status,
                _ => false,
            };
            if !ignored {
                self.member(root, key, value);
            }
        }
    }

    fn value(&mut self, edge: Edge, value: &Value) {
        let of = self.schema.of(edge);
        if value.is_null() {
            // The server may put a default in its place.
            return;
        }
        // YAML makes numbers of versions, and booleans of `yes` and `y`.
        let is_unquoted = of.shape == Shape::String && (value.is_number() || value.is_boolean());
        let hint = if is_unquoted { "; quote it" } else { "" };
        let message = || {
            format!(
                "it must be {}, not {}{hint}",
                of.shape.name(),
                name_of(value)
            )
        };
        if !of.shape.takes(value) {
            return self.refuse(message());
        }
        if is_fraction(of.shape, value) {
            return self.question(message());
        }
        if let Some(rules) = &of.rules {
            self.rules(of, rules, value);
        }
        match value {
            Value::Object(object) => self.object(of, object),
            Value::Array(items) => self.list(of, items),
            _ => {}
        }
    }

    fn object(&mut self, of: &Type, object: &Map<String, Value>) {
        self.required(of, object);
        for (key, value) in object {
            self.member(of, key, value);
        }
    }

    fn member(&mut self, of: &Type, key: &str, value: &Value) {
        let Some((edge, _)) = of.member(key) else {
            return self.at(&format!(".{key}"), |walk| walk.refuse(unknown(of, key)));
        };
        if self.path == ".metadata" && is_stripped(key) {
            return;
        }
        self.at(&format!(".{key}"), |walk| walk.value(edge, value));
    }

    fn list(&mut self, of: &Type, items: &[Value]) {
        let Some(edge) = of.items else { return };
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            self.at(&format!("[{index}]"), |walk| {
                if of.list != List::Atomic {
                    match item_element(item, of, walk.schema) {
                        Ok(element) => {
                            if !seen.insert(element) {
                                let message = "an earlier item of the list has the same key";
                                walk.refuse(message.to_owned());
                            }
                        }
                        Err(why) => walk.refuse(why.to_owned()),
                    }
                }
                walk.value(edge, item);
            });
        }
    }

    fn required(&mut self, of: &Type, object: &Map<String, Value>) {
        for name in &of.required {
            if !object.contains_key(&**name) {
                self.at(&format!(".{name}"), |walk| {
                    walk.question("it is required".to_owned());
                });
            }
        }
    }

    fn rules(&mut self, of: &Type, rules: &Rules, value: &Value) {
        if !rules.allowed.is_empty() && !rules.allowed.iter().any(|it| is_same(it, value)) {
            let allowed: Vec<_> = (rules.allowed.iter())
                .filter(|value| **value != "")
                .map(Value::to_string)
                .collect();
            self.question(format!("it must be one of {}", allowed.join(", ")));
        }
        match value {
            Value::String(text) => {
                if rules.base64 && !is_base64(text) {
                    self.refuse("it must be base64".to_owned());
                }
                self.count(rules.length, text.chars().count(), "characters");
                if let Some(pattern) = rules.pattern.as_ref().filter(|it| it.refuses(text)) {
                    self.question(format!("it must match {}", pattern.text));
                }
            }
            Value::Number(number) => self.range(rules, number.as_f64().unwrap_or_default()),
            Value::Array(items) => self.count(rules.items, items.len(), "items"),
            Value::Object(object) => {
                let Bounds(least, most) = rules.properties;
                self.count(Bounds(None, most), object.len(), "properties");
                // The server counts after it put in the defaults.
                let defaults = of.properties.iter().filter(|(name, property)| {
                    property.default.is_some() && !object.contains_key(&***name)
                });
                let count = object.len() + defaults.count();
                self.count(Bounds(least, None), count, "properties");
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn range(&mut self, rules: &Rules, number: f64) {
        match rules.minimum {
            Some(least) if number < least => {
                self.question(format!("it must be at least {least}"));
            }
            Some(least) if rules.above_minimum && number <= least => {
                self.question(format!("it must be more than {least}"));
            }
            _ => {}
        }
        match rules.maximum {
            Some(most) if number > most => self.question(format!("it must be at most {most}")),
            Some(most) if rules.below_maximum && number >= most => {
                self.question(format!("it must be less than {most}"));
            }
            _ => {}
        }
    }

    fn count(&mut self, Bounds(least, most): Bounds, count: usize, what: &str) {
        let count = count as u64;
        if let Some(least) = least.filter(|least| count < *least) {
            self.question(format!("it must have at least {least} {what}, not {count}"));
        }
        if let Some(most) = most.filter(|most| count > *most) {
            self.question(format!("it must have at most {most} {what}, not {count}"));
        }
    }

    fn at(&mut self, step: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        walk(self);
        self.path.truncate(length);
    }

    /// What the server's merge itself refuses.
    fn refuse(&mut self, message: String) {
        self.find(message, true);
    }

    /// What the server refuses unless admission mends it.
    fn question(&mut self, message: String) {
        self.find(message, false);
    }

    fn find(&mut self, message: String, certain: bool) {
        self.found.push(Violation {
            path: self.path.clone(),
            message,
            certain,
        });
    }
}

/// Whether the server can decode it: line ends in it do not count, nor do bits
/// that are left over.
fn is_base64(text: &str) -> bool {
    const SERVER: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let plain: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    SERVER.decode(plain).is_ok()
}

/// What the merge takes and the server still does not.
fn is_fraction(shape: Shape, value: &Value) -> bool {
    let fraction = value.as_f64().is_some_and(|number| number.fract() != 0.0);
    fraction && matches!(shape, Shape::Integer | Shape::IntOrString)
}

/// Numbers are the same by value, however they are written.
fn is_same(allowed: &Value, given: &Value) -> bool {
    match (allowed.as_f64(), given.as_f64()) {
        (Some(allowed), Some(given)) => allowed.total_cmp(&given).is_eq(),
        _ => allowed == given,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Says that a field is unknown, and which one may be meant.
fn unknown(of: &Type, key: &str) -> String {
    let distance =
        |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &key.to_lowercase());
    let names = of.properties.keys().map(|name| (distance(name), name));
    match names.min() {
        Some((distance, name)) if distance <= 2 && distance * 3 <= name.len() => {
            format!("there is no such field; is `{name}` meant?")
        }
        _ => "there is no such field".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::sample(
            &json!({"type": "object", "required": ["spec"], "properties": {"spec": {
            "type": "object", "required": ["id", "mode"], "minProperties": 2, "properties": {
                "id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "slow"},
                "level": {"type": "integer", "enum": [1, 2], "nullable": true},
                "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 9},
                "port": {"x-kubernetes-int-or-string": true},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "x-kubernetes-list-type": "set"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}),
        )
    }

    fn found(spec: &Value) -> Vec<String> {
        let object =
            json!({"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec});
        let found = validate(&object, &schema());
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits_is_valid() {
        assert!(found(&json!({"id": "ab", "level": 1.0, "size": 9, "port": "80%", "tags": ["a"], "free": {"x": [null]}})).is_empty());
        assert!(found(&json!({"id": "ab", "level": null, "port": 80})).is_empty());
        // Such text is not judged here: the server's expressions may see it in another way.
        assert!(found(&json!({"id": "\u{e4}"})).is_empty());
    }

    #[test]
    fn everything_wrong_is_named_with_its_place() {
        assert_eq!(
            found(
                &json!({"mode": "quick", "siez": 1, "size": 0, "port": 1.5, "tags": ["a", "a", 3]})
            ),
            [
                ".spec.id: it is required",
                ".spec.mode: it must be one of \"fast\", \"slow\"",
                ".spec.siez: there is no such field; is `size` meant?",
                ".spec.size: it must be more than 0",
                ".spec.port: it must be a whole number or a string, not a fraction",
                ".spec.tags: it must have at most 2 items, not 3",
                ".spec.tags[1]: an earlier item of the list has the same key",
                ".spec.tags[2]: it must be a string, not a number; quote it",
            ]
        );
        assert_eq!(
            found(&json!({"id": "ABCDE"})),
            [
                ".spec.id: it must have at most 4 characters, not 5",
                ".spec.id: it must match ^[a-z]+$"
            ]
        );
        let empty = json!({"apiVersion": "x.io/v1", "kind": "X"});
        assert_eq!(validate(&empty, &schema())[0].path, ".spec");
    }

    #[test]
    fn base64_is_what_the_server_decodes() {
        // Bits that are left over, and line ends, are no mistake to it.
        for good in ["", "YQ==", "YR==", "YW\nJj\r\n"] {
            assert!(is_base64(good), "{good:?}");
        }
        for bad in ["YQ", "YQ=", "Y", "a!b=", "YW Jj", "YQ==YQ==", "-_-_"] {
            assert!(!is_base64(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_what_admission_cannot_mend_is_certain() {
        let object = json!({"spec": {"mode": "slow", "unheard": 1}});
        let found = validate(&object, &schema());
        let certain: Vec<_> = found
            .iter()
            .map(|it| (it.path.as_str(), it.certain))
            .collect();
        assert_eq!(certain, [(".spec.id", false), (".spec.unheard", true)]);
    }
}
