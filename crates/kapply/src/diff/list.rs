//! Two lists laid over each other: items are matched by what identifies them,
//! so that one more container is one addition and not a cascade of changes.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::{
    label,
    tree::{self, Node},
};

/// What identifies the items of lists, tried in this order. The name of the
/// field that holds the list is first where another set is tried sooner for it.
const KEYS: [(&str, &[&str]); 19] = [
    ("ports", &["containerPort", "protocol"]),
    ("ports", &["port", "protocol"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("ownerReferences", &["uid"]),
    ("subjects", &["kind", "namespace", "name"]),
    ("", &["name"]),
    ("", &["containerPort", "protocol"]),
    ("", &["port", "protocol"]),
    ("", &["mountPath"]),
    ("", &["devicePath"]),
    ("", &["topologyKey", "whenUnsatisfiable"]),
    ("", &["topologyKey"]),
    ("", &["key"]),
    ("", &["ip"]),
    ("", &["host"]),
    ("", &["path"]),
    ("", &["type"]),
    ("", &["id"]),
];

/// A diff of long lists without keys stops looking for the shortest answer after this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// Both lists, item by item.
#[derive(Debug, Clone)]
pub(crate) struct List<'v> {
    /// The fields that identify an item; empty where the whole item does.
    pub(crate) keys: &'static [&'static str],
    /// In the order of the second list; what only the first has stands where it stood.
    pub(crate) items: Vec<Item<'v>>,
    /// The items that both have, in the first's order and in the second's, if those differ.
    pub(crate) moved: Option<(Vec<String>, Vec<String>)>,
}

/// An item and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Item<'v> {
    /// Its place in the first list.
    pub(crate) before: Option<usize>,
    /// Its place in the second list.
    pub(crate) after: Option<usize>,
    /// What differs.
    pub(crate) node: Node<'v>,
}

impl Item<'_> {
    /// Its place in the second list, or in the first if it is only there.
    pub(crate) fn index(&self) -> usize {
        self.after.or(self.before).unwrap_or_default()
    }
}

pub(super) fn compare<'v>(before: &'v [Value], after: &'v [Value], name: &str) -> List<'v> {
    if let Some(keys) = keys(before, after, name) {
        let identity = |item: &Value| identity(item, keys);
        return by_identity(before, after, keys, &identity);
    }
    // The same items in another order are no additions and removals.
    let mut sorted = [texts(before), texts(after)];
    for texts in &mut sorted {
        texts.sort_unstable();
    }
    let unique = sorted[0].windows(2).all(|pair| pair[0] != pair[1]);
    if unique && sorted[0] == sorted[1] {
        return by_identity(before, after, &[], &|item| Some(label(item)));
    }
    by_value(before, after)
}

/// The first set of fields that every item has and no two items share.
fn keys(before: &[Value], after: &[Value], name: &str) -> Option<&'static [&'static str]> {
    KEYS.iter()
        .filter(|(list, _)| list.is_empty() || *list == name)
        .map(|(_, keys)| *keys)
        .find(|keys| {
            [before, after].into_iter().all(|items| {
                let mut seen = HashSet::new();
                items
                    .iter()
                    .all(|item| identity(item, keys).is_some_and(|label| seen.insert(label)))
            })
        })
}

/// `name="web"`, as the API server writes it in its paths; `None` without the first of the fields.
pub(crate) fn identity(item: &Value, keys: &[&str]) -> Option<String> {
    item.get(keys.first()?)
        .filter(|value| value.is_string() || value.is_number())?;
    let fields = keys.iter().filter_map(|key| match item.get(key) {
        Some(value) => Some(format!("{key}={value}")),
        None if *key == "protocol" => Some("protocol=\"TCP\"".to_owned()),
        None => None,
    });
    Some(fields.collect::<Vec<_>>().join(","))
}

fn by_identity<'v>(
    before: &'v [Value],
    after: &'v [Value],
    keys: &'static [&'static str],
    identity: &dyn Fn(&Value) -> Option<String>,
) -> List<'v> {
    let labels = |items: &[Value]| -> Vec<String> {
        items
            .iter()
            .map(|item| identity(item).unwrap_or_default())
            .collect()
    };
    let (old, new) = (labels(before), labels(after));
    let places: HashMap<&str, usize> = old
        .iter()
        .enumerate()
        .map(|(index, label)| (label.as_str(), index))
        .collect();
    let kept: HashSet<&str> = new.iter().map(String::as_str).collect();
    let removed_from = |start: usize| {
        (start..old.len())
            .take_while(|index| !kept.contains(old[*index].as_str()))
            .map(|index| Item {
                before: Some(index),
                after: None,
                node: Node::Removed(&before[index]),
            })
    };
    let mut items: Vec<_> = removed_from(0).collect();
    let mut order = Vec::new();
    for (index, label) in new.iter().enumerate() {
        let place = places.get(label.as_str()).copied();
        let node = place.map_or(Node::Added(&after[index]), |place| {
            tree::compare(&before[place], &after[index], "")
        });
        items.push(Item {
            before: place,
            after: Some(index),
            node,
        });
        if let Some(place) = place {
            order.push(place);
            items.extend(removed_from(place + 1));
        }
    }
    let moved = (!order.is_sorted()).then(|| {
        let now = order.iter().map(|place| old[*place].clone()).collect();
        let mut was = order.clone();
        was.sort_unstable();
        (was.iter().map(|place| old[*place].clone()).collect(), now)
    });
    List { keys, items, moved }
}

/// Items without identity: equal ones are matched, and what stands in the place
/// of each other is compared.
fn by_value<'v>(before: &'v [Value], after: &'v [Value]) -> List<'v> {
    let deadline = Instant::now().checked_add(PATIENCE);
    let operations =
        capture_diff_slices_deadline(Algorithm::Myers, &texts(before), &texts(after), deadline);
    let mut items = Vec::new();
    for operation in operations {
        let (_, old, new) = DiffOp::as_tag_tuple(&operation);
        let both = old.len().min(new.len());
        for (index, place) in old.clone().zip(new.clone()) {
            items.push(Item {
                before: Some(index),
                after: Some(place),
                node: tree::compare(&before[index], &after[place], ""),
            });
        }
        items.extend(old.skip(both).map(|index| Item {
            before: Some(index),
            after: None,
            node: Node::Removed(&before[index]),
        }));
        items.extend(new.skip(both).map(|index| Item {
            before: None,
            after: Some(index),
            node: Node::Added(&after[index]),
        }));
    }
    List {
        keys: &[],
        items,
        moved: None,
    }
}

fn texts(items: &[Value]) -> Vec<String> {
    items.iter().map(label).collect()
}
