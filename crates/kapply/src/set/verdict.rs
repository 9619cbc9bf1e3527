//! What happens to members that are not in the input any more: most go, some
//! are kept, and a guard refuses what would hurt most if it were a mistake.

use std::collections::{BTreeSet, HashSet};

use super::{
    marks,
    members::Member,
    parent::Parent,
    reach::{GroupKind, parts},
};
use crate::{
    plan::{Live, Prune, Verdict},
    resolve::Target,
};

/// What may be pruned although a guard refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Allow {
    /// Namespaces, with everything in them
    Namespaces,
    /// CustomResourceDefinitions, with all their objects
    Crds,
    /// PersistentVolumeClaims, usually with their data
    Pvcs,
    /// More than half of the set's members
    Most,
    /// All of these, and everything that is left of a set whose input is empty
    All,
}

/// Which guards are lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowPrune(pub Vec<Allow>);

impl AllowPrune {
    /// Whether this guard is lifted.
    #[must_use]
    pub fn has(&self, allow: Allow) -> bool {
        self.0.contains(&allow) || self.0.contains(&Allow::All)
    }
}

/// Judges every member that is no target. Members that a controller made are
/// not counted: they go with their owner.
#[must_use]
pub fn verdicts(
    members: Vec<Member>,
    targets: &[Target],
    parent: &Parent,
    allow: &AllowPrune,
) -> Vec<Prune> {
    let wanted: HashSet<_> = targets
        .iter()
        .map(|target| {
            let kind = GroupKind::from(&target.resource);
            (kind, target.namespace.as_deref(), target.object.name())
        })
        .collect();
    let total = members
        .iter()
        .filter(|member| member.controller().is_none())
        .count();
    let mut prunes: Vec<Prune> = members
        .into_iter()
        .filter(|member| !wanted.contains(&member.key()))
        .map(|member| {
            let verdict = judge(&member, parent, allow);
            Prune {
                live: member.live,
                resource: member.resource,
                verdict,
            }
        })
        .collect();
    keep_what_holds_others(&mut prunes, targets);
    refuse_most(&mut prunes, total, allow);
    prunes
}

/// How much of a set is pruned, as far as the object alone tells.
fn judge(member: &Member, parent: &Parent, allow: &AllowPrune) -> Verdict {
    if let Some(controller) = member.controller() {
        return Verdict::Keep(format!("{controller} made it and takes care of it"));
    }
    if is_parent(member, parent) {
        return Verdict::Keep("it is the set's own parent".to_owned());
    }
    let kind = member.kind();
    if kind == GroupKind::parse("Namespace")
        && parent.namespace.as_deref() == Some(member.live.name())
    {
        return Verdict::Keep("the set's own parent lives in it".to_owned());
    }
    if let Some(annotation) = keeping_annotation(&member.live) {
        return Verdict::Keep(format!("its annotation {annotation} says so"));
    }
    match guard(&kind) {
        Some((allowed, flag, why)) if !allow.has(allowed) => {
            Verdict::Refused(format!("{why}; allow it with --allow-prune={flag}"))
        }
        _ => Verdict::Delete,
    }
}

fn is_parent(member: &Member, parent: &Parent) -> bool {
    member.key()
        == (
            GroupKind::from(&parent.resource),
            parent.namespace.as_deref(),
            &parent.name,
        )
}

/// The annotation that keeps a member: our own, and the one that charts carry
/// which were rendered by `helm template`.
pub(crate) fn keeping_annotation(live: &Live) -> Option<String> {
    let annotations = &live.value["metadata"]["annotations"];
    let text = |key: &str| annotations[key].as_str().unwrap_or_default();
    let keeps = |key: &str, value: &str| {
        parts(text(key))
            .any(|part| part == value)
            .then(|| format!("{key}: {value}"))
    };
    keeps(marks::PRUNE, "disabled").or_else(|| keeps(marks::HELM_POLICY, "keep"))
}

/// The guard of a kind: what lifts it, and why it is there.
fn guard(kind: &GroupKind) -> Option<(Allow, &'static str, &'static str)> {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => Some((
            Allow::Namespaces,
            "namespaces",
            "everything in the namespace would go with it",
        )),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some((
            Allow::Crds,
            "crds",
            "all objects of its kind would go with it",
        )),
        ("", "PersistentVolumeClaim") => Some((Allow::Pvcs, "pvcs", "its data would be lost")),
        _ => None,
    }
}

/// A namespace or definition stays while something of the input, or something
/// that is kept, lives in it or is of its kind.
fn keep_what_holds_others(prunes: &mut [Prune], targets: &[Target]) {
    let stays: Vec<_> = prunes
        .iter()
        .filter(|prune| {
            prune.verdict != Verdict::Delete && super::members::controller(&prune.live).is_none()
        })
        .collect();
    let places = targets.iter().map(|target| {
        (
            GroupKind::from(&target.resource),
            target.namespace.as_deref(),
        )
    });
    let places: BTreeSet<(GroupKind, Option<String>)> = places
        .chain(
            stays
                .iter()
                .map(|prune| (GroupKind::from(&prune.resource), prune.live.namespace())),
        )
        .map(|(kind, namespace)| (kind, namespace.map(str::to_owned)))
        .collect();
    for prune in prunes
        .iter_mut()
        .filter(|prune| prune.verdict == Verdict::Delete)
    {
        let name = prune.live.name();
        let held = match prune.resource.kind.as_str() {
            "Namespace" if prune.resource.group.is_empty() => places
                .iter()
                .find(|(_, namespace)| namespace.as_deref() == Some(name))
                .map(|(kind, _)| format!("a {kind} that stays lives in it")),
            "CustomResourceDefinition" => {
                let spec = &prune.live.value["spec"];
                let defines = |kind: &GroupKind| {
                    spec["group"] == kind.group.as_str()
                        && spec["names"]["kind"] == kind.kind.as_str()
                };
                places
                    .iter()
                    .find(|(kind, _)| defines(kind))
                    .map(|(kind, _)| format!("an object of its kind {kind} stays"))
            }
            _ => None,
        };
        if let Some(reason) = held {
            prune.verdict = Verdict::Keep(reason);
        }
    }
}

fn refuse_most(prunes: &mut [Prune], total: usize, allow: &AllowPrune) {
    let going = prunes
        .iter()
        .filter(|prune| prune.verdict == Verdict::Delete)
        .count();
    if going * 2 <= total || allow.has(Allow::Most) {
        return;
    }
    for prune in prunes
        .iter_mut()
        .filter(|prune| prune.verdict == Verdict::Delete)
    {
        prune.verdict = Verdict::Refused(format!(
            "{going} of the set's {total} members would go, which is more than half; allow it with --allow-prune=most"
        ));
    }
}
