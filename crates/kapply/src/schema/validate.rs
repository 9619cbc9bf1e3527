//! What the server would refuse in a new object, as far as its schema tells.
//! Never stricter than the server: what is not certain passes.

use std::{collections::BTreeSet, fmt};

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
            return self.refuse("it must be an object");
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
        if !of.shape.takes(value) || is_fraction(of.shape, value) {
            let (expected, given) = (of.shape.name(), name_of(value));
            return self.refuse(&format!("it must be {expected}, not {given}"));
        }
        if let Some(rules) = &of.rules {
            self.rules(rules, value);
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
            return self.at(&format!(".{key}"), |walk| walk.refuse(&unknown(of, key)));
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
                                walk.refuse("an earlier item of the list has the same key");
                            }
                        }
                        Err(why) => walk.refuse(why),
                    }
                }
                walk.value(edge, item);
            });
        }
    }

    fn required(&mut self, of: &Type, object: &Map<String, Value>) {
        for name in &of.required {
            if !object.contains_key(&**name) {
                self.at(&format!(".{name}"), |walk| walk.refuse("it is required"));
            }
        }
    }

    fn rules(&mut self, rules: &Rules, value: &Value) {
        if !rules.allowed.is_empty() && !rules.allowed.contains(value) {
            let allowed: Vec<_> = (rules.allowed.iter())
                .filter(|value| **value != "")
                .map(Value::to_string)
                .collect();
            self.refuse(&format!("it must be one of {}", allowed.join(", ")));
        }
        match value {
            Value::String(text) => {
                self.count(rules.length, text.chars().count(), "characters");
                if let Some(pattern) = rules.pattern.as_ref().filter(|it| it.refuses(text)) {
                    self.refuse(&format!("it must match {}", pattern.text));
                }
            }
            Value::Number(number) => self.range(rules, number.as_f64().unwrap_or_default()),
            Value::Array(items) => self.count(rules.items, items.len(), "items"),
            Value::Object(object) => self.count(rules.properties, object.len(), "properties"),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn range(&mut self, rules: &Rules, number: f64) {
        match rules.minimum {
            Some(least) if number < least => {
                self.refuse(&format!("it must be at least {least}"));
            }
            Some(least) if rules.above_minimum && number <= least => {
                self.refuse(&format!("it must be more than {least}"));
            }
            _ => {}
        }
        match rules.maximum {
            Some(most) if number > most => self.refuse(&format!("it must be at most {most}")),
            Some(most) if rules.below_maximum && number >= most => {
                self.refuse(&format!("it must be less than {most}"));
            }
            _ => {}
        }
    }

    fn count(&mut self, Bounds(least, most): Bounds, count: usize, what: &str) {
        let count = count as u64;
        if let Some(least) = least.filter(|least| count < *least) {
            self.refuse(&format!(
                "it must have at least {least} {what}, not {count}"
            ));
        }
        if let Some(most) = most.filter(|most| count > *most) {
            self.refuse(&format!("it must have at most {most} {what}, not {count}"));
        }
    }

    fn at(&mut self, step: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        walk(self);
        self.path.truncate(length);
    }

    fn refuse(&mut self, message: &str) {
        self.found.push(Violation {
            path: self.path.clone(),
            message: message.to_owned(),
        });
    }
}

/// What the merge takes and the server still does not.
fn is_fraction(shape: Shape, value: &Value) -> bool {
    let fraction = value.as_f64().is_some_and(|number| number.fract() != 0.0);
    fraction && matches!(shape, Shape::Integer | Shape::IntOrString)
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
