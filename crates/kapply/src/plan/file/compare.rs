//! What is not as it was planned, object by object. What is done already is no
//! difference: an apply of a plan that was killed is finished by the next.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
};

use serde_json::Value;

use super::{Identity, PlanFile, PlanFileError, Planned, StoredObject, StoredPrune};
use crate::diff::{Change, changes};

/// Fields that are named of one object; the plan has them all.
const MAX_FIELDS: usize = 3;

/// One thing that is not as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The object, such as `deployment.apps/web (namespace shop)`, or what else it is.
    pub subject: String,
    /// What is different, in words.
    pub what: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.subject, self.what)
    }
}

/// What moved between a stored plan and one that was made just now; empty if
/// doing the fresh one does nothing that was not in the stored one.
///
/// # Errors
/// [`PlanFileError::Commitment`].
pub fn compare(stored: &PlanFile, fresh: &Planned<'_>) -> Result<Vec<Moved>, PlanFileError> {
    let now = PlanFile::with_salt(fresh, stored.salt.clone())?;
    let mut moved = circumstances(stored, &now);
    let planned = by_key(
        stored
            .objects
            .iter()
            .map(|object| (&object.identity, object)),
    );
    for object in &now.objects {
        let what = match planned.get(&object.identity.key()) {
            Some(planned) => object_moved(planned, object),
            None => Some("is new in the input".to_owned()),
        };
        moved.extend(what.map(|what| at(&object.identity, what)));
    }
    let present = by_key(now.objects.iter().map(|object| (&object.identity, object)));
    for object in &stored.objects {
        if !present.contains_key(&object.identity.key()) {
            moved.push(at(
                &object.identity,
                "is not in the input any more".to_owned(),
            ));
        }
    }
    prunes(stored, &now, &mut moved);
    Ok(moved)
}

fn at(identity: &Identity, what: String) -> Moved {
    Moved {
        subject: identity.subject(),
        what,
    }
}

type Key<'plan> = (&'plan str, &'plan str, &'plan str, &'plan str);

fn by_key<'plan, T>(entries: impl Iterator<Item = (&'plan Identity, T)>) -> HashMap<Key<'plan>, T> {
    entries
        .map(|(identity, entry)| (identity.key(), entry))
        .collect()
}

/// What holds for the plan as a whole.
fn circumstances(stored: &PlanFile, now: &PlanFile) -> Vec<Moved> {
    let mut moved = Vec::new();
    let mut push = |subject: &str, what: String| {
        moved.push(Moved {
            subject: subject.to_owned(),
            what,
        });
    };
    if !stored.cluster.is(&now.cluster) {
        let (planned, here) = (&stored.cluster.url, &now.cluster.url);
        push(
            "the cluster",
            format!("planned for {planned}, and {here} is another cluster"),
        );
    }
    for (flag, planned, here) in [
        (
            "--field-manager",
            vec![stored.field_manager.clone()],
            vec![now.field_manager.clone()],
        ),
        (
            "--force-conflicts",
            stored.force_conflicts_with.clone(),
            now.force_conflicts_with.clone(),
        ),
        ("--recreate", stored.recreate.clone(), now.recreate.clone()),
        (
            "--applyset",
            stored.applyset.iter().cloned().collect(),
            now.applyset.iter().cloned().collect(),
        ),
    ] {
        if planned != here {
            push(
                flag,
                format!("planned with {}, now {}", list(&planned), list(&here)),
            );
        }
    }
    moved
}

fn list(values: &[String]) -> String {
    if values.is_empty() {
        "none".to_owned()
    } else {
        values.join(", ")
    }
}

fn object_moved(planned: &StoredObject, now: &StoredObject) -> Option<String> {
    let done_in_part = planned.action == "recreate" && now.action == "create";
    match (planned.action.as_str(), now.action.as_str()) {
        (_, "unchanged") => return None,
        (was, is) if was != is && !done_in_part => {
            return Some(format!("was {}, is now {}", words(was), words(is)));
        }
        _ => {}
    }
    if planned.uid != now.uid && !done_in_part {
        return Some("was deleted and created anew since".to_owned());
    }
    if planned.changes != now.changes {
        return Some(changes_moved(&planned.changes, &now.changes));
    }
    (planned.commitment != now.commitment)
        .then(|| "its hidden values are not the planned ones".to_owned())
}

fn words(action: &str) -> &str {
    match action {
        "create" => "to be created",
        "update" => "to be updated",
        "recreate" => "to be recreated",
        other => other,
    }
}

fn changes_moved(planned: &[Change], now: &[Change]) -> String {
    if let ([planned], [now]) = (planned, now)
        && planned.path.is_empty()
        && now.path.is_empty()
    {
        let fields = changes(planned.after.as_ref(), now.after.as_ref());
        let fields = fields
            .iter()
            .map(|change| format!("{}: {}", name(change), step(change)));
        return format!("is another in the input: {}", some_of(fields.collect()));
    }
    let find =
        |changes: &[Change], path: &str| changes.iter().find(|change| change.path == path).cloned();
    let mut fields = Vec::new();
    for change in now {
        let was = find(planned, &change.path);
        if was.as_ref() != Some(change) {
            let was = was.map_or("nothing".to_owned(), |was| step(&was));
            fields.push(format!(
                "{}: planned {was}, now {}",
                name(change),
                step(change)
            ));
        }
    }
    for change in planned {
        if find(now, &change.path).is_none() {
            fields.push(format!(
                "{}: planned {}, now nothing",
                name(change),
                step(change)
            ));
        }
    }
    some_of(fields)
}

fn some_of(mut fields: Vec<String>) -> String {
    let more = fields.len().saturating_sub(MAX_FIELDS);
    fields.truncate(MAX_FIELDS);
    let mut text = fields.join("; ");
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "; and {more} fields more");
    }
    text
}

fn name(change: &Change) -> &str {
    if change.field.is_empty() {
        "the object"
    } else {
        &change.field
    }
}

/// `2 -> 3`
fn step(change: &Change) -> String {
    let short = |value: &Option<Value>| match value {
        None => "none".to_owned(),
        Some(Value::Object(_)) => "{…}".to_owned(),
        Some(Value::Array(_)) => "[…]".to_owned(),
        Some(value) => crate::report::conflict::short(value),
    };
    format!("{} -> {}", short(&change.before), short(&change.after))
}

fn prunes(stored: &PlanFile, now: &PlanFile, moved: &mut Vec<Moved>) {
    let planned = by_key(stored.prunes.iter().map(|prune| (&prune.identity, prune)));
    for prune in &now.prunes {
        let what = prune_moved(planned.get(&prune.identity.key()).copied(), prune);
        moved.extend(what.map(|what| at(&prune.identity, what.to_owned())));
    }
}

/// A member that was to be pruned and is gone is no difference.
fn prune_moved(planned: Option<&StoredPrune>, now: &StoredPrune) -> Option<&'static str> {
    let Some(planned) = planned else {
        return (now.verdict == "delete").then_some("would be pruned, which was not planned");
    };
    match (planned.verdict.as_str(), now.verdict.as_str()) {
        ("delete", "delete") if planned.uid != now.uid => {
            Some("was to be pruned, but was deleted and created anew since")
        }
        (was, "delete") if was != "delete" => Some("was to stay, is now to be pruned"),
        ("delete", is) if is != "delete" => Some("was to be pruned, is now to stay"),
        _ => None,
    }
}
