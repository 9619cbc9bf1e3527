//! One step of a field's path, ordered as structured-merge-diff orders them.

use std::{cmp::Ordering, fmt};

use serde_json::{Number, Value};

/// A step from an object or list to what is in it.
#[derive(Debug, Clone)]
pub enum PathElement {
    /// A key of an object.
    Field(Box<str>),
    /// The item of a list whose key fields have these values; sorted by name.
    Key(Vec<(Box<str>, Value)>),
    /// The item of a set with this value.
    Value(Value),
    /// The item of a list at this place, counted from 0.
    Index(u64),
}

impl PathElement {
    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(ours), Self::Field(theirs)) => ours.cmp(theirs),
            (Self::Key(ours), Self::Key(theirs)) => compare_keys(ours, theirs),
            (Self::Value(ours), Self::Value(theirs)) => compare_values(ours, theirs),
            (Self::Index(ours), Self::Index(theirs)) => ours.cmp(theirs),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PathElement {}

fn compare_keys(ours: &[(Box<str>, Value)], theirs: &[(Box<str>, Value)]) -> Ordering {
    let pairs = ours.iter().zip(theirs);
    pairs
        .map(|((name, value), (other_name, other_value))| {
            name.cmp(other_name)
                .then_with(|| compare_values(value, other_value))
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| ours.len().cmp(&theirs.len()))
}

/// Numbers, texts, booleans, and then everything that no key can be.
fn compare_values(ours: &Value, theirs: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    };
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => compare_numbers(ours, theirs),
        (Value::String(ours), Value::String(theirs)) => ours.cmp(theirs),
        (Value::Bool(ours), Value::Bool(theirs)) => ours.cmp(theirs),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            ours.to_string().cmp(&theirs.to_string())
        }
        _ => rank(ours).cmp(&rank(theirs)),
    }
}

fn compare_numbers(ours: &Number, theirs: &Number) -> Ordering {
    if let (Some(ours), Some(theirs)) = (ours.as_i64(), theirs.as_i64()) {
        return ours.cmp(&theirs);
    }
    let float = |number: &Number| number.as_f64().unwrap_or_default();
    float(ours).total_cmp(&float(theirs))
}

impl fmt::Display for PathElement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(out, ".{name}"),
            Self::Key(fields) => {
                out.write_str("[")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(out, "{comma}{name}={value}")?;
                }
                out.write_str("]")
            }
            Self::Value(value) => write!(out, "[={value}]"),
            Self::Index(index) => write!(out, "[{index}]"),
        }
    }
}

/// Where a field is, such as `.spec.template.spec.containers[name="nginx"].image`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<PathElement>);

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_ordered_by_sort_and_numbers_by_value() {
        let key = |port: Value| PathElement::Key(vec![("port".into(), port)]);
        let mut elements = [
            PathElement::Index(0),
            PathElement::Value(json!("b")),
            PathElement::Value(json!(10)),
            PathElement::Value(json!(2.5)),
            key(json!(443)),
            key(json!(80)),
            PathElement::Field("z".into()),
            PathElement::Field("a".into()),
        ];
        elements.sort();
        let shown: Vec<_> = elements.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                ".a",
                ".z",
                "[port=80]",
                "[port=443]",
                "[=2.5]",
                "[=10]",
                "[=\"b\"]",
                "[0]"
            ]
        );
        assert_eq!(key(json!(80)), key(json!(80.0)));
    }
}
