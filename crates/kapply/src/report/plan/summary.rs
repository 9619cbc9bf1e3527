//! How much there is of what.

use std::fmt;

use serde::Serialize;

use super::{ObjectView, PruneView};

/// Objects of the input by action, and members that left it by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Objects of the input.
    pub objects: usize,
    /// To create.
    pub create: usize,
    /// To update.
    pub update: usize,
    /// To delete and create anew.
    pub recreate: usize,
    /// Nothing to do.
    pub unchanged: usize,
    /// Cannot be applied.
    pub blocked: usize,
    /// Members that are deleted.
    pub prune: usize,
    /// Members that stay.
    pub kept: usize,
    /// Members that a guard protects.
    pub refused: usize,
}

impl Summary {
    pub(super) fn of(objects: &[ObjectView], prunes: &[PruneView]) -> Self {
        let actions = |name| {
            objects
                .iter()
                .filter(|object| object.action == name)
                .count()
        };
        let verdicts = |name| prunes.iter().filter(|prune| prune.verdict == name).count();
        Self {
            objects: objects.len(),
            create: actions("create"),
            update: actions("update"),
            recreate: actions("recreate"),
            unchanged: actions("unchanged"),
            blocked: actions("blocked"),
            prune: verdicts("delete"),
            kept: verdicts("keep"),
            refused: verdicts("refused"),
        }
    }
}

/// `3 objects: 1 to create, 1 to update, 1 unchanged; 2 to prune, 1 kept`
impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &[(usize, &str)]| {
            let parts: Vec<_> = counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, name)| format!("{count} {name}"))
                .collect();
            parts.join(", ")
        };
        let objects = list(&[
            (self.create, "to create"),
            (self.update, "to update"),
            (self.recreate, "to recreate"),
            (self.unchanged, "unchanged"),
            (self.blocked, "blocked"),
        ]);
        let prunes = list(&[
            (self.prune, "to prune"),
            (self.kept, "kept"),
            (self.refused, "refused"),
        ]);
        let plural = if self.objects == 1 { "" } else { "s" };
        write!(out, "{} object{plural}", self.objects)?;
        if !objects.is_empty() {
            write!(out, ": {objects}")?;
        }
        if !prunes.is_empty() {
            write!(out, "; {prunes}")?;
        }
        Ok(())
    }
}
