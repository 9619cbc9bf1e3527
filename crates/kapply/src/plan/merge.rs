//! What an apply makes of an object, as far as the schema tells: maps are
//! merged, lists by the keys of their items, and everything else is replaced.

use serde_json::Value;

use crate::{
    fields::PathElement,
    fields::claim::{declared, is_atomic, item_element},
    schema::{Edge, List, Schema},
};

/// Merges what is desired into an object. Without a schema only maps are merged.
pub(super) fn merge(into: &mut Value, desired: &Value, schema: Option<&Schema>) {
    let root = schema.map(|schema| Place {
        schema,
        edge: schema.root(),
    });
    merge_at(into, desired, root);
}

/// Where in the schema a value stands.
#[derive(Clone, Copy)]
struct Place<'schema> {
    schema: &'schema Schema,
    edge: Edge,
}

fn merge_at(into: &mut Value, from: &Value, place: Option<Place<'_>>) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) if !place.is_some_and(is_whole) => {
            for (key, value) in from {
                let inner = place.and_then(|place| {
                    let (edge, _) = declared(place.schema.of(place.edge), key).ok()?;
                    Some(Place { edge, ..place })
                });
                merge_at(
                    into.entry(key.as_str()).or_insert(Value::Null),
                    value,
                    inner,
                );
            }
        }
        (Value::Array(into), Value::Array(from)) if place.is_some_and(has_keys) => {
            for item in from {
                merge_item(into, item, place);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn merge_item(into: &mut Vec<Value>, item: &Value, place: Option<Place<'_>>) {
    let found = place.and_then(|place| {
        let of = place.schema.of(place.edge);
        let element = item_element(item, of, place.schema).ok()?;
        Some((position(into, &element)?, of.items))
    });
    match found {
        Some((index, edge)) => {
            let inner = place.zip(edge).map(|(place, edge)| Place { edge, ..place });
            merge_at(&mut into[index], item, inner);
        }
        None => into.push(item.clone()),
    }
}

fn is_whole(place: Place<'_>) -> bool {
    is_atomic(place.schema.of(place.edge), place.edge)
}

fn has_keys(place: Place<'_>) -> bool {
    place.schema.of(place.edge).list != List::Atomic
}

/// Where in a list the item is that an element stands for.
pub(super) fn position(items: &[Value], element: &PathElement) -> Option<usize> {
    items
        .iter()
        .enumerate()
        .position(|(at, item)| match element {
            PathElement::Key(keys) => keys.iter().all(|(name, value)| item[&**name] == *value),
            PathElement::Value(value) => item == value,
            PathElement::Index(index) => usize::try_from(*index) == Ok(at),
            PathElement::Field(_) => false,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_merged_by_their_keys_and_the_rest_is_replaced() {
        let text = json!({"type": "string"});
        let schema = Schema::sample(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "words": {"type": "array", "items": text},
            "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
            "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
            "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": text, "a": text, "b": text}}}}}}}),
        );
        let mut live = json!({"kind": "X", "spec": {"words": ["x"], "tags": ["t", "u"], "whole": {"k": "v"},
            "items": [{"name": "one", "a": "1"}, {"name": "two"}]}});
        let desired = json!({"kind": "X", "spec": {"words": ["y"], "tags": ["u", "v"], "whole": {"l": "w"},
            "items": [{"name": "one", "b": "2"}, {"name": "three"}]}});
        let mut naive = live.clone();
        merge(&mut live, &desired, Some(&schema));
        assert_eq!(
            live["spec"],
            json!({"words": ["y"], "tags": ["t", "u", "v"], "whole": {"l": "w"},
                "items": [{"name": "one", "a": "1", "b": "2"}, {"name": "two"}, {"name": "three"}]})
        );
        merge(&mut naive, &desired, None);
        assert_eq!(naive["spec"]["items"], desired["spec"]["items"]);
        assert_eq!(naive["spec"]["whole"], json!({"k": "v", "l": "w"}));
    }
}
