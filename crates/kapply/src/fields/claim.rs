//! The fields that an object claims when it is applied, worked out as the API
//! server does it (structured-merge-diff, `typed/tofieldset.go`).

use serde_json::{Map, Value};

use super::{Doubt, FieldSet, Node, PathElement};
use crate::schema::{Edge, List, Schema, Shape, Type};

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

/// The fields that `desired` claims.
///
/// # Errors
/// A [`Doubt`] about every field of which it is not certain: nulls, empty
/// objects and lists that are merged, unknown fields, values that do not fit
/// the schema, and list items with the same key.
pub fn claim(desired: &Value, schema: &Schema) -> Result<FieldSet, Doubt> {
    let root = schema.of(schema.root());
    let object = desired
        .as_object()
        .ok_or_else(|| Doubt::new("it is no object"))?;
    let mut nodes = Vec::with_capacity(object.len());
    for (key, value) in object {
        let node = match key.as_str() {
            "apiVersion" | "kind" => continue,
            "status" if schema.status => {
                status(root, value, schema)?;
                continue;
            }
            "metadata" => metadata(root, value, schema)?,
            _ => Some(member(root, key, value, schema)?),
        };
        nodes.extend(node);
    }
    Ok(sorted(nodes))
}

/// What is written there goes nowhere, but the server still reads it.
fn status(root: &Type, value: &Value, schema: &Schema) -> Result<(), Doubt> {
    if value.as_object().is_some_and(Map::is_empty) {
        return Ok(());
    }
    member(root, "status", value, schema).map(drop)
}

fn metadata(root: &Type, value: &Value, schema: &Schema) -> Result<Option<Node>, Doubt> {
    let (edge, _) = declared(root, "metadata", schema)?;
    let of = schema.of(edge);
    let object = value
        .as_object()
        .ok_or_else(|| Doubt::new("it is no object").field("metadata"))?;
    let owned = object.iter().filter(|(key, _)| !is_stripped(key));
    let nodes = owned
        .map(|(key, value)| member(of, key, value, schema))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|doubt| doubt.field("metadata"))?;
    Ok((!nodes.is_empty()).then(|| Node {
        element: PathElement::Field("metadata".into()),
        member: false,
        children: sorted(nodes),
    }))
}

fn declared(of: &Type, key: &str, schema: &Schema) -> Result<(Edge, bool), Doubt> {
    schema
        .member(of, key)
        .ok_or_else(|| Doubt::new("the schema has no such field").field(key))
}

fn member(of: &Type, key: &str, value: &Value, schema: &Schema) -> Result<Node, Doubt> {
    let (edge, declared) = declared(of, key, schema)?;
    let (leaf, children) = below(edge, value, schema).map_err(|doubt| doubt.field(key))?;
    Ok(Node {
        element: PathElement::Field(key.into()),
        member: leaf || !declared,
        children,
    })
}

/// Whether the value is owned as a whole, and what is owned inside it.
fn below(edge: Edge, value: &Value, schema: &Schema) -> Result<(bool, FieldSet), Doubt> {
    let of = schema.of(edge);
    let whole = Ok((true, FieldSet::default()));
    match value {
        Value::Null => Err(Doubt::new("it is null")),
        Value::Object(_) if !matches!(of.shape, Shape::Any | Shape::Object) => {
            Err(Doubt::new("it must not be an object"))
        }
        Value::Array(_) if !matches!(of.shape, Shape::Any | Shape::Array) => {
            Err(Doubt::new("it must not be a list"))
        }
        Value::Object(object) if object.is_empty() => Err(Doubt::new("it is an empty object")),
        Value::Object(_) if is_atomic(of, edge) => settled(value).and(whole),
        Value::Object(object) => {
            let nodes = object
                .iter()
                .map(|(key, value)| member(of, key, value, schema));
            Ok((false, sorted(nodes.collect::<Result<_, _>>()?)))
        }
        Value::Array(_) if of.list == List::Atomic => settled(value).and(whole),
        Value::Array(items) if items.is_empty() => Err(Doubt::new("it is an empty list")),
        Value::Array(items) => Ok((false, list(of, items, schema)?)),
        _ if fits(of.shape, value) => whole,
        _ => Err(Doubt::new("its value is of another type than the schema's")),
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

/// A value that is owned as a whole must not have parts of which the server may make something else.
fn settled(value: &Value) -> Result<(), Doubt> {
    match value {
        Value::Null => Err(Doubt::new("it is null")),
        Value::Object(object) if object.is_empty() => Err(Doubt::new("it is an empty object")),
        Value::Object(object) => object
            .iter()
            .try_for_each(|(key, value)| settled(value).map_err(|doubt| doubt.field(key))),
        Value::Array(items) => (0..).zip(items).try_for_each(|(index, item)| {
            settled(item).map_err(|doubt| doubt.below(PathElement::Index(index)))
        }),
        _ => Ok(()),
    }
}

fn fits(shape: Shape, value: &Value) -> bool {
    match shape {
        Shape::Any | Shape::Quantity | Shape::IntOrString => true,
        Shape::String => value.is_string(),
        Shape::Integer | Shape::Number => value.is_number(),
        Shape::Boolean => value.is_boolean(),
        Shape::Object | Shape::Array => false,
    }
}

fn sorted(mut nodes: Vec<Node>) -> FieldSet {
    if !nodes.is_sorted_by(|left, right| left.element < right.element) {
        nodes.sort_by(|left, right| left.element.cmp(&right.element));
    }
    FieldSet { nodes }
}
