//! Sets, prunes and deletions, for people and for programs.

use std::fmt::Write as _;

use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::{
    delete::{Fate, Victim},
    plan::{Live, Prune, Verdict},
    set::{ApplySet, inventory::Listed},
};

/// The names of all fates.
const FATES: [&str; 8] = [
    "deleted", "missing", "released", "deleting", "kept", "held", "failed", "skipped",
];

/// The line for an object that is gone or stays as was meant; `None` for what went wrong.
#[must_use]
pub fn ended(victim: &Victim, fate: &Fate, gone: &str, dry_run: bool) -> Option<String> {
    let (label, place) = (victim.label(), victim.place());
    let mut line = match fate {
        Fate::Deleted => format!("{label} {gone}{place}"),
        Fate::Missing => format!("{label} missing{place}"),
        Fate::Released => format!("{label} released{place}"),
        Fate::Going(reason) => format!("{label} deleting{place}: {reason}"),
        Fate::Kept(reason) => format!("{label} kept{place}: {reason}"),
        Fate::Held(_) | Fate::Failed(_) | Fate::Skipped(_) => return None,
    };
    if dry_run {
        line.push_str(" (dry run)");
    }
    Some(line)
}

/// The line for an object that could not be deleted; `None` for what went well.
#[must_use]
pub fn not_ended(victim: &Victim, fate: &Fate) -> Option<String> {
    match fate {
        Fate::Held(reason) => Some(format!("not gone yet: {victim}: {reason}")),
        Fate::Failed(reason) => Some(format!("error: {victim}: {reason}")),
        Fate::Skipped(reason) => Some(format!("skipped: {victim}: {reason}")),
        Fate::Deleted | Fate::Missing | Fate::Released | Fate::Going(_) | Fate::Kept(_) => None,
    }
}

/// `3 deleted, 1 kept`
#[must_use]
pub fn counts(fates: &[Fate], gone: &str) -> String {
    let mut text = String::new();
    for name in FATES {
        let count = fates.iter().filter(|fate| fate.name() == name).count();
        if count > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            let word = if name == "deleted" { gone } else { name };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{count} {word}");
        }
    }
    text
}

/// `{objects: [...], summary: {...}}` of a deletion.
#[must_use]
pub fn deleted(victims: &[Victim], fates: &[Fate]) -> Value {
    let objects = victims.iter().zip(fates);
    let objects: Vec<_> = objects
        .map(|(victim, fate)| entry(&victim.resource, &victim.live, fate))
        .collect();
    json!({"objects": objects, "summary": summary(fates)})
}

/// The prunes of an apply, each with what became of it; before it, with the verdict.
#[must_use]
pub fn prunes(prunes: &[Prune], fates: Option<&[Fate]>) -> Value {
    let entries = prunes.iter().enumerate().map(|(index, prune)| {
        if let Some(fate) = fates.and_then(|fates| fates.get(index)) {
            return entry(&prune.resource, &prune.live, fate);
        }
        let mut entry = identity(&prune.resource, &prune.live);
        let (outcome, reason) = match &prune.verdict {
            Verdict::Delete => ("not pruned", None),
            Verdict::Keep(reason) => ("kept", Some(reason)),
            Verdict::Refused(reason) => ("refused", Some(reason)),
        };
        entry["outcome"] = outcome.into();
        if let Some(reason) = reason {
            entry["reason"] = reason.as_str().into();
        }
        entry
    });
    entries.collect()
}

/// `{id, parent, tooling}` of a set.
#[must_use]
pub fn set(set: &ApplySet) -> Value {
    let parent = set.parent();
    json!({"id": set.id(), "parent": {"apiVersion": parent.resource.api_version, "kind": parent.resource.kind,
            "namespace": parent.namespace, "name": parent.name},
        "tooling": set.tooling().map(ToString::to_string)})
}

/// `{sets: [...]}`
#[must_use]
pub fn sets(sets: &[Listed]) -> Value {
    let entries: Vec<_> = sets
        .iter()
        .map(|listed| {
            let parent = &listed.parent;
            let kinds: Vec<_> = listed.reach.kinds.iter().map(ToString::to_string).collect();
            let mut entry = json!({"id": parent.id(), "parent": {"apiVersion": parent.resource.api_version,
                    "kind": parent.resource.kind, "namespace": parent.namespace, "name": parent.name},
                "tooling": listed.tooling.as_ref().map(ToString::to_string), "kinds": kinds,
                "namespaces": listed.reach.namespaces, "members": listed.members.as_ref().ok(), "faults": listed.faults});
            if let Err(error) = &listed.members {
                entry["error"] = error.as_str().into();
            }
            entry
        })
        .collect();
    json!({"sets": entries})
}

/// The sets as a table, a line per set under a head.
#[must_use]
pub fn table(sets: &[Listed]) -> Vec<String> {
    let row = |listed: &Listed| {
        let parent = &listed.parent;
        let kinds: Vec<_> = listed.reach.kinds.iter().map(ToString::to_string).collect();
        let others: Vec<_> = listed
            .reach
            .namespaces
            .iter()
            .filter(|name| Some(*name) != parent.namespace.as_ref())
            .cloned()
            .collect();
        let or_dash = |text: String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text
            }
        };
        let kind = if parent.resource.group.is_empty() {
            String::new()
        } else {
            format!(".{}", parent.resource.group)
        };
        [
            parent.namespace.clone().unwrap_or_else(|| "-".to_owned()),
            format!(
                "{}{kind}/{}",
                parent.resource.kind.to_lowercase(),
                parent.name
            ),
            listed
                .tooling
                .as_ref()
                .map_or_else(|| "?".to_owned(), ToString::to_string),
            listed
                .members
                .as_ref()
                .map_or_else(|_| "?".to_owned(), ToString::to_string),
            or_dash(kinds.join(",")),
            or_dash(others.join(",")),
        ]
    };
    let head = [
        "NAMESPACE",
        "SET",
        "TOOLING",
        "MEMBERS",
        "KINDS",
        "OTHER NAMESPACES",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(sets.iter().map(row)).collect();
    let widths: Vec<_> = (0..6)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |row: &[String; 6]| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn identity(resource: &ApiResource, live: &Live) -> Value {
    json!({"apiVersion": resource.api_version, "kind": resource.kind, "namespace": live.namespace(), "name": live.name()})
}

fn entry(resource: &ApiResource, live: &Live, fate: &Fate) -> Value {
    let mut entry = identity(resource, live);
    entry["outcome"] = fate.name().into();
    if let Some(reason) = fate.reason() {
        entry["reason"] = reason.into();
    }
    entry
}

fn summary(fates: &[Fate]) -> Value {
    let count = |name: &str| fates.iter().filter(|fate| fate.name() == name).count();
    FATES
        .iter()
        .map(|name| ((*name).to_owned(), count(name).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
