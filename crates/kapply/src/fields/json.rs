//! `FieldsV1`: a field set as JSON, whose keys are `f:NAME`, `k:{…}`, `v:VALUE`
//! and `i:INDEX`, and `.` for a field that has other ones below it.

use serde_json::{Map, Value};

use super::{FieldSet, Node, PathElement};

/// What is no field set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part of a field set")]
pub struct Malformed(String);

impl FieldSet {
    /// Reads `fieldsV1`. Elements of kinds that are not known are left out, as
    /// the API server does.
    ///
    /// # Errors
    /// [`Malformed`] names what cannot be read.
    pub fn parse(fields: &Value) -> Result<Self, Malformed> {
        Ok(parse(fields)?.0)
    }

    /// The set as `fieldsV1`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let nodes = self.nodes.iter();
        let pairs = nodes.map(|node| (key(&node.element), node_value(node)));
        Value::Object(pairs.collect())
    }
}

fn node_value(node: &Node) -> Value {
    let mut value = Map::new();
    if node.member && !node.children.is_empty() {
        value.insert(".".to_owned(), Value::Object(Map::new()));
    }
    if let Value::Object(children) = node.children.to_value() {
        value.extend(children);
    }
    Value::Object(value)
}

fn key(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => format!("f:{name}"),
        PathElement::Key(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (String::from(&**name), value.clone()));
            format!("k:{}", Value::Object(fields.collect()))
        }
        PathElement::Value(value) => format!("v:{value}"),
        PathElement::Index(index) => format!("i:{index}"),
    }
}

/// The set, and whether the place where it stands is itself a member.
fn parse(fields: &Value) -> Result<(FieldSet, bool), Malformed> {
    let object = fields
        .as_object()
        .ok_or_else(|| Malformed(fields.to_string()))?;
    let mut nodes = Vec::with_capacity(object.len());
    let mut member = false;
    for (key, below) in object {
        if key == "." {
            member = true;
        } else if let Some(element) = element(key)? {
            let (children, member) = parse(below)?;
            nodes.push(Node {
                element,
                member,
                children,
            });
        }
    }
    if !nodes.is_sorted_by(|left, right| left.element < right.element) {
        nodes = sorted(nodes);
    }
    member |= nodes.is_empty();
    Ok((FieldSet { nodes }, member))
}

fn sorted(mut nodes: Vec<Node>) -> Vec<Node> {
    nodes.sort_by(|left, right| left.element.cmp(&right.element));
    nodes.dedup_by(|again, first| {
        let same = again.element == first.element;
        if same {
            first.member |= again.member;
            first.children = first.children.union(&again.children);
        }
        same
    });
    nodes
}

/// The element, or nothing for a kind of element that a later version may know.
fn element(key: &str) -> Result<Option<PathElement>, Malformed> {
    let malformed = || Malformed(key.to_owned());
    let (kind, content) = key.split_at_checked(2).ok_or_else(malformed)?;
    let json = || serde_json::from_str::<Value>(content).map_err(|_| malformed());
    Ok(Some(match kind {
        "f:" => PathElement::Field(content.into()),
        "v:" => PathElement::Value(json()?),
        "i:" => PathElement::Index(content.parse().map_err(|_| malformed())?),
        "k:" => {
            let Value::Object(fields) = json()? else {
                return Err(malformed());
            };
            let mut fields: Vec<_> = (fields.into_iter())
                .map(|(name, value)| (name.into_boxed_str(), value))
                .collect();
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            PathElement::Key(fields)
        }
        _ if kind.ends_with(':') => return Ok(None),
        _ => return Err(malformed()),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_is_written_as_it_was_read() {
        let fields = json!({
            "f:metadata": {"f:annotations": {".": {}, "f:a:b": {}}, "f:finalizers": {".": {}, "v:\"x/y\"": {}}},
            "f:spec": {"f:ports": {
                "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}},
                "k:{\"port\":443,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
            "f:old": {"i:0": {}, "i:10": {}}
        });
        let set = FieldSet::parse(&fields).unwrap();
        assert_eq!(set.to_value(), fields);
        assert_eq!(set.leaves()[0].to_string(), ".metadata.annotations.a:b");
    }

    #[test]
    fn unknown_kinds_of_elements_are_left_out_and_nonsense_is_refused() {
        let set = FieldSet::parse(&json!({"f:a": {}, "q:new": {"f:b": {}}})).unwrap();
        assert_eq!(set.to_value(), json!({"f:a": {}}));
        for nonsense in [
            json!({"a": {}}),
            json!({"fa": {}}),
            json!({"k:1": {}}),
            json!({"v:": {}}),
            json!({"i:x": {}}),
            json!({"f:a": 1}),
            json!([]),
        ] {
            assert!(FieldSet::parse(&nonsense).is_err(), "{nonsense}");
        }
    }
}
