//! What a plan shows for an object that kubectl applied client-side. The server
//! cannot dry-run two patches in a row, so what goes away with the takeover is
//! worked out here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    fields::{self, FieldSet, PathElement},
    migrate,
    schema::Schema,
};

/// The managers whose fields become ours, and which fields go.
#[derive(Debug)]
pub(super) struct Takeover {
    predecessors: BTreeSet<String>,
    /// Fields that only they own, and that the input does not have.
    lost: FieldSet,
}

impl Takeover {
    /// The takeover of an object, if there is one to be made.
    pub(super) fn of(
        live: &Value,
        desired: &Value,
        schema: Option<&Schema>,
        manager: &str,
    ) -> Option<Self> {
        migrate::migration(live, manager)?;
        let entries = live["metadata"]["managedFields"].as_array()?;
        let predecessors: BTreeSet<_> = migrate::client_side(entries).into_iter().collect();
        let is_theirs = |entry: &&Value| {
            entry["operation"] == "Update"
                && entry["manager"]
                    .as_str()
                    .is_some_and(|name| predecessors.contains(name))
        };
        let (theirs, others): (Vec<_>, Vec<_>) = entries.iter().partition(is_theirs);
        let union = |entries: &[&Value]| {
            entries
                .iter()
                .filter_map(|entry| FieldSet::parse(&entry["fieldsV1"]).ok())
                .fold(FieldSet::default(), |all, more| all.union(&more))
        };
        // Without a claim nobody knows what goes; then nothing is shown to go.
        let lost = schema
            .and_then(|schema| fields::claim(desired, schema).ok())
            .map(|claim| {
                let kept = others
                    .into_iter()
                    .filter(|entry| entry["manager"] != manager || entry["operation"] != "Apply");
                union(&theirs)
                    .difference(&claim)
                    .difference(&union(&kept.collect::<Vec<_>>()))
            });
        Some(Self {
            predecessors,
            lost: lost.unwrap_or_default(),
        })
    }

    /// Whether a conflict with this manager goes away with the takeover.
    pub(super) fn includes(&self, manager: &str) -> bool {
        self.predecessors.contains(manager)
    }

    /// Takes away what the takeover takes away.
    pub(super) fn remove_from(&self, object: &mut Value) {
        for path in self.lost.leaves() {
            remove(object, &path.0);
        }
    }
}

fn remove(value: &mut Value, path: &[PathElement]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut value = value;
    for element in parents {
        let Some(inner) = step(value, element) else {
            return;
        };
        value = inner;
    }
    match (value, last) {
        (Value::Object(map), PathElement::Field(name)) => drop(map.shift_remove(&**name)),
        (Value::Array(items), element) => {
            if let Some(index) = position(items, element) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn step<'value>(value: &'value mut Value, element: &PathElement) -> Option<&'value mut Value> {
    match (value, element) {
        (Value::Object(map), PathElement::Field(name)) => map.get_mut(&**name),
        (Value::Array(items), element) => {
            let index = position(items, element)?;
            items.get_mut(index)
        }
        _ => None,
    }
}

fn position(items: &[Value], element: &PathElement) -> Option<usize> {
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
