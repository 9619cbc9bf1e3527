//! The differences as a flat list, for programs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    escape,
    list::{self, List},
    tree::{Node, compare},
};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub op: Op,
    /// JSON Pointer into the object as it would be; for what is removed, as it is.
    pub path: String,
    /// The same place as the API server names it, such as `.spec.containers[name="web"].image`.
    pub field: String,
    /// The value as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value as it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What happens to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It is new, with all that is in it.
    Added,
    /// It goes, with all that is in it.
    Removed,
    /// It gets another value.
    Changed,
    /// Items of a list change places; before and after are what identifies
    /// them, in order.
    Moved,
}

/// The differences between two objects, in the order of the second; either may be absent.
#[must_use]
pub fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let node = match (before, after) {
        (Some(before), Some(after)) => compare(before, after, ""),
        (Some(before), None) => Node::Removed(before),
        (None, Some(after)) => Node::Added(after),
        (None, None) => return Vec::new(),
    };
    let mut changes = Vec::new();
    collect(&node, "", "", &mut changes);
    changes
}

fn collect(node: &Node<'_>, path: &str, field: &str, changes: &mut Vec<Change>) {
    let mut push = |op, before: Option<&Value>, after: Option<&Value>| {
        changes.push(Change {
            op,
            path: path.to_owned(),
            field: field.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        });
    };
    match node {
        Node::Same(_) => {}
        Node::Added(after) => push(Op::Added, None, Some(after)),
        Node::Removed(before) => push(Op::Removed, Some(before), None),
        Node::Changed(before, after) => push(Op::Changed, Some(before), Some(after)),
        Node::Map(members) => {
            for (key, node) in members {
                collect(
                    node,
                    &format!("{path}/{}", escape(key)),
                    &format!("{field}.{key}"),
                    changes,
                );
            }
        }
        Node::List(list) => {
            if let Some((was, now)) = &list.moved {
                push(Op::Moved, Some(&json!(was)), Some(&json!(now)));
            }
            items(list, path, field, changes);
        }
    }
}

fn items(list: &List<'_>, path: &str, field: &str, changes: &mut Vec<Change>) {
    for item in &list.items {
        let index = item.index();
        let value = match item.node {
            Node::Added(value) | Node::Removed(value) | Node::Same(value) => Some(value),
            _ => None,
        };
        let label = match (&item.node, value) {
            (_, Some(value)) => list::identity(value, list.keys),
            (Node::Map(members), None) => member_identity(members, list.keys),
            _ => None,
        };
        let label = label.unwrap_or_else(|| index.to_string());
        collect(
            &item.node,
            &format!("{path}/{index}"),
            &format!("{field}[{label}]"),
            changes,
        );
    }
}

/// The identity of an item that is taken apart: its key fields are the same on both sides.
fn member_identity(members: &[(&str, Node<'_>)], keys: &[&str]) -> Option<String> {
    let value: Value = members
        .iter()
        .filter_map(|(key, node)| match node {
            Node::Same(value) => Some(((*key).to_owned(), (*value).clone())),
            _ => None,
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    list::identity(&value, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &Value, after: &Value) -> String {
        let lines: Vec<_> = changes(Some(before), Some(after))
            .iter()
            .map(|change| {
                let value =
                    |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
                format!(
                    "{:?} {} {} {} {}",
                    change.op,
                    change.path,
                    change.field,
                    value(&change.before),
                    value(&change.after)
                )
            })
            .collect();
        lines.join("\n")
    }

    #[test]
    fn one_more_container_is_one_addition() {
        let before = json!({"spec": {"containers": [{"name": "web", "image": "a:1", "env": [{"name": "X", "value": "1"}]}]}});
        let after = json!({"spec": {"containers": [{"name": "proxy", "image": "p"},
            {"name": "web", "image": "a:2", "env": [{"name": "X", "value": "1"}]}]}});
        insta::assert_snapshot!(shown(&before, &after), @r#"
        Added /spec/containers/0 .spec.containers[name="proxy"] - {"name":"proxy","image":"p"}
        Changed /spec/containers/1/image .spec.containers[name="web"].image "a:1" "a:2"
        "#);
    }

    #[test]
    fn another_order_is_shown_as_such() {
        let before =
            json!({"c": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "args": ["x", "y"]});
        let after = json!({"c": [{"name": "c"}, {"name": "a"}], "args": ["y", "x"]});
        insta::assert_snapshot!(shown(&before, &after), @r#"
        Moved /c .c ["name=\"a\"","name=\"c\""] ["name=\"c\"","name=\"a\""]
        Removed /c/1 .c[name="b"] {"name":"b"} -
        Moved /args .args ["\"x\"","\"y\""] ["\"y\"","\"x\""]
        "#);
    }

    #[test]
    fn ports_are_matched_by_port_and_protocol() {
        let before = json!({"ports": [{"name": "a", "containerPort": 80}, {"name": "b", "containerPort": 80, "protocol": "UDP"}]});
        let after = json!({"ports": [{"name": "z", "containerPort": 80, "protocol": "TCP"}, {"name": "b", "containerPort": 80, "protocol": "UDP"}]});
        insta::assert_snapshot!(shown(&before, &after), @r#"
        Changed /ports/0/name .ports[containerPort=80,protocol="TCP"].name "a" "z"
        Added /ports/0/protocol .ports[containerPort=80,protocol="TCP"].protocol - "TCP"
        "#);
    }

    #[test]
    fn lists_without_identity_and_types_that_change() {
        let before = json!({"args": ["a", "b", "c"], "rules": [{"verbs": ["get"]}], "t": 1, "k": {"a/b": 1}});
        let after = json!({"args": ["a", "x", "c", "d"], "rules": [{"verbs": ["get", "list"]}], "t": {"a": 1}, "k": {}});
        insta::assert_snapshot!(shown(&before, &after), @r#"
        Changed /args/1 .args[1] "b" "x"
        Added /args/3 .args[3] - "d"
        Added /rules/0/verbs/1 .rules[0].verbs[1] - "list"
        Changed /t .t 1 {"a":1}
        Removed /k/a~1b .k.a/b 1 -
        "#);
    }

    #[test]
    fn whole_objects_come_and_go() {
        let object = json!({"a": 1});
        assert_eq!(changes(None, Some(&object))[0].op, Op::Added);
        assert_eq!(changes(Some(&object), None)[0].op, Op::Removed);
        assert!(changes(Some(&object), Some(&object)).is_empty());
        assert!(changes(None, None).is_empty());
    }
}
