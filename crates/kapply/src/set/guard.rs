//! What is not pruned unless it is allowed in so many words, because it would
//! hurt most if it were a mistake.

use super::reach::GroupKind;
use crate::plan::{Prune, Verdict};

/// What may be pruned although a guard refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Allow {
    /// Namespaces, with everything in them
    Namespaces,
    /// Custom resource definitions, with all their objects
    Crds,
    /// Persistent volume claims, usually with their data
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

/// The guard of a kind: what lifts it, and why it is there.
pub(super) fn guard(kind: &GroupKind) -> Option<(Allow, &'static str, &'static str)> {
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

/// Refuses to delete anything if it would be more than half of the set.
pub(super) fn refuse_most(prunes: &mut [Prune], total: usize, allow: &AllowPrune) {
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
