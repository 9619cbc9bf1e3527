//! Two values laid over each other.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::list::{self, List};

/// One place of both values.
#[derive(Debug, Clone)]
pub(crate) enum Node<'v> {
    /// Both are equal.
    Same(&'v Value),
    /// Only the second is there.
    Added(&'v Value),
    /// Only the first is there.
    Removed(&'v Value),
    /// They are of different types, or scalars.
    Changed(&'v Value, &'v Value),
    /// Maps, member by member.
    Map(Vec<(&'v str, Node<'v>)>),
    /// Lists, item by item.
    List(List<'v>),
}

/// Lays one value over the other. `name` is the field that holds them; it may
/// tell how the items of a list are identified.
pub(crate) fn compare<'v>(before: &'v Value, after: &'v Value, name: &str) -> Node<'v> {
    match (before, after) {
        _ if before == after => Node::Same(after),
        (Value::Object(before), Value::Object(after)) => Node::Map(members(before, after)),
        (Value::Array(before), Value::Array(after)) => {
            Node::List(list::compare(before, after, name))
        }
        _ => Node::Changed(before, after),
    }
}

/// In the order of the second map; what only the first has stands where it stood.
fn members<'v>(
    before: &'v Map<String, Value>,
    after: &'v Map<String, Value>,
) -> Vec<(&'v str, Node<'v>)> {
    let places: HashMap<&str, usize> = before
        .keys()
        .enumerate()
        .map(|(index, key)| (key.as_str(), index))
        .collect();
    let removed_from = |start: usize| {
        before
            .iter()
            .skip(start)
            .take_while(|(key, _)| !after.contains_key(*key))
            .map(|(key, value)| (key.as_str(), Node::Removed(value)))
    };
    let mut members: Vec<_> = removed_from(0).collect();
    for (key, value) in after {
        let Some(old) = before.get(key) else {
            members.push((key.as_str(), Node::Added(value)));
            continue;
        };
        members.push((key.as_str(), compare(old, value, key)));
        members.extend(removed_from(places[key.as_str()] + 1));
    }
    members
}
