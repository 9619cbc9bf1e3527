//! The fields that an object claims when it is applied, worked out as the API
//! server does it (structured-merge-diff, `typed/tofieldset.go`).

use serde_json::Value;

use super::{Doubt, FieldSet, Node, PathElement};
use crate::schema::{Edge, List, Schema, Type};

/// Fields of `metadata` that nobody owns (apimachinery, `managedfields/internal/stripmeta.go`).
const STRIPPED: [&str; 9] = [
    "clusterName",
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Whether nobody owns this field of `metadata`.
pub(crate) fn is_stripped(name: &str) -> bool {
    STRIPPED.binary_search(&name).is_ok()
}

/// The fields that `desired` claims. A null and an empty object are claimed
/// like any other value, an empty list that is merged claims nothing.
///
/// # Errors
/// A [`Doubt`] about what the server would refuse: unknown fields, values of
/// another type than the schema's, and list items with the same key or none.
pub fn claim(desired: &Value, schema: &Schema) -> Result<FieldSet, Doubt> {
    let root = schema.of(schema.root());
    let object = desired
        .as_object()
        .ok_or_else(|| Doubt::new("it is no object"))?;
    let mut nodes = Vec::with_capacity(object.len());
    for (key, value) in object {
        let node = match key.as_str() {
            "apiVersion" | "kind" => continue,
            "metadata" => metadata(root, value, schema)?,
            _ => member(root, key, value, schema)?,
        };
        // What is written to a status that has its own subresource goes nowhere.
        if key != "status" || !schema.status {
            nodes.extend(node);
        }
    }
    Ok(sorted(nodes))
}

fn metadata(root: &Type, value: &Value, schema: &Schema) -> Result<Option<Node>, Doubt> {
    let (edge, _) = declared(root, "metadata")?;
    let of = schema.of(edge);
    let object = value
        .as_object()
        .ok_or_else(|| Doubt::new("it is no object").field("metadata"))?;
    let owned = object.iter().filter(|(key, _)| !is_stripped(key));
    let children = members(of, owned, schema).map_err(|doubt| doubt.field("metadata"))?;
    Ok(node(PathElement::Field("metadata".into()), false, children))
}

/// The use of a type that a key of an object leads to, and whether the schema declares that key.
pub(crate) fn declared(of: &Type, key: &str) -> Result<(Edge, bool), Doubt> {
    of.member(key)
        .ok_or_else(|| Doubt::new("the schema has no such field").field(key))
}

fn members<'object>(
    of: &Type,
    object: impl Iterator<Item = (&'object String, &'object Value)>,
    schema: &Schema,
) -> Result<FieldSet, Doubt> {
    let nodes = object.filter_map(|(key, value)| member(of, key, value, schema).transpose());
    Ok(sorted(nodes.collect::<Result<_, _>>()?))
}

fn member(of: &Type, key: &str, value: &Value, schema: &Schema) -> Result<Option<Node>, Doubt> {
    let (edge, declared) = declared(of, key)?;
    let (whole, children) = below(edge, value, schema).map_err(|doubt| doubt.field(key))?;
    let element = PathElement::Field(key.into());
    Ok(node(element, whole || !declared, children))
}

fn node(element: PathElement, member: bool, children: FieldSet) -> Option<Node> {
    (member || !children.is_empty()).then_some(Node {
        element,
        member,
        children,
    })
}

/// Whether the value is owned as a whole, and what is owned inside it.
fn below(edge: Edge, value: &Value, schema: &Schema) -> Result<(bool, FieldSet), Doubt> {
    let of = schema.of(edge);
    if !of.shape.takes(value) {
        return Err(Doubt::new("its value is of another type than the schema's"));
    }
    match value {
        Value::Object(object) if !object.is_empty() && !is_atomic(of, edge) => {
            Ok((false, members(of, object.iter(), schema)?))
        }
        Value::Array(items) if of.list != List::Atomic => Ok((false, list(of, items, schema)?)),
        _ => Ok((true, FieldSet::default())),
    }
}

fn list(of: &Type, items: &[Value], schema: &Schema) -> Result<FieldSet, Doubt> {
    let edge = of
        .items
        .ok_or_else(|| Doubt::new("the schema does not say what its items are"))?;
    let mut nodes = Vec::with_capacity(items.len());
    for item in items {
        let element = item_element(item, of, schema).map_err(Doubt::new)?;
        let (_, children) =
            below(edge, item, schema).map_err(|doubt| doubt.below(element.clone()))?;
        nodes.push(Node {
            element,
            member: true,
            children,
        });
    }
    let set = sorted(nodes);
    let same = |pair: &[Node]| pair[0].element == pair[1].element;
    if set.nodes.windows(2).any(same) {
        return Err(Doubt::new("two of its items have the same key"));
    }
    Ok(set)
}

/// The element that stands for an item of a list that is no atomic one.
///
/// # Errors
/// Why there is none.
pub(crate) fn item_element(
    item: &Value,
    of: &Type,
    schema: &Schema,
) -> Result<PathElement, &'static str> {
    let List::Map(keys) = &of.list else {
        return match item {
            Value::Null | Value::Object(_) | Value::Array(_) => {
                Err("an item of a set must be a plain value")
            }
            value => Ok(PathElement::Value(value.clone())),
        };
    };
    let object = item.as_object().ok_or("an item must be an object")?;
    let mut fields = Vec::with_capacity(keys.len());
    for key in keys {
        let default = || of.items.and_then(|items| schema.key_default(items, key));
        if let Some(value) = object.get(&**key).or_else(default) {
            fields.push((key.clone(), value.clone()));
        }
    }
    if fields.is_empty() {
        return Err("an item has none of its key fields");
    }
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(PathElement::Key(fields))
}

/// Whether objects at this use of the type are owned as a whole.
pub(crate) fn is_atomic(of: &Type, edge: Edge) -> bool {
    edge.atomic.unwrap_or(of.atomic)
}

fn sorted(mut nodes: Vec<Node>) -> FieldSet {
    if !nodes.is_sorted_by(|left, right| left.element < right.element) {
        nodes.sort_by(|left, right| left.element.cmp(&right.element));
    }
    FieldSet { nodes }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claimed(desired: &Value) -> Result<Value, String> {
        let text = json!({"type": "string"});
        let schema = Schema::sample(&json!({"type": "object", "properties": {
            "status": {"type": "object"},
            "spec": {"type": "object", "properties": {
                "id": text, "inner": {"type": "object", "properties": {"a": text, "b": text}},
                "words": {"type": "array", "items": text},
                "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
                "map": {"type": "object", "additionalProperties": text},
                "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {"type": "object", "properties": {"port": {"type": "integer"}, "name": text,
                        "protocol": {"type": "string", "default": "TCP"}}}}}}}}));
        claim(desired, &schema)
            .map(|set| set.to_value())
            .map_err(|doubt| doubt.to_string())
    }

    #[test]
    fn every_structure_is_claimed_in_its_way() {
        let desired = json!({"apiVersion": "x.io/v1", "kind": "X",
            "metadata": {"name": "x", "namespace": "n", "creationTimestamp": null},
            "status": {"ready": true},
            "spec": {"id": "1", "inner": {"b": "2", "a": null}, "words": ["w"], "tags": ["t"], "map": {"k": "v"},
                "whole": {"k": "v"}, "free": {"deep": {"x": [1]}, "none": {}}, "ports": [{"port": 80, "name": "http"}]}});
        assert_eq!(
            claimed(&desired).unwrap(),
            json!({"f:spec": {"f:id": {}, "f:inner": {"f:a": {}, "f:b": {}}, "f:words": {},
                "f:tags": {"v:\"t\"": {}}, "f:map": {"f:k": {}}, "f:whole": {},
                "f:free": {"f:deep": {".": {}, "f:x": {}}, "f:none": {}},
                "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}})
        );
    }

    #[test]
    fn what_the_server_would_refuse_is_doubted() {
        let twins = json!({"spec": {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]}});
        for (desired, doubt) in [
            (
                json!({"spec": {"x": 1}}),
                ".spec.x: the schema has no such field",
            ),
            (
                json!({"spec": {"id": 1}}),
                ".spec.id: its value is of another type than the schema's",
            ),
            (twins, ".spec.ports: two of its items have the same key"),
            (
                json!({"spec": {"ports": [3]}}),
                ".spec.ports: an item must be an object",
            ),
        ] {
            assert_eq!(claimed(&desired).unwrap_err(), doubt);
        }
    }
}
