//! What became of each object.

use crate::ssa::FieldConflict;

/// What an apply did to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did not exist.
    Created,
    /// It existed and was changed.
    Configured,
    /// It existed, was deleted and created anew.
    Recreated,
    /// It existed and was as desired.
    Unchanged,
    /// Other managers own fields of it with other values; nothing was changed.
    Conflict(Vec<FieldConflict>),
    /// The API server refused it, or did not answer.
    Failed(String),
    /// It was not sent, for this reason.
    Skipped(String),
}

impl Outcome {
    /// The names of all outcomes, in the order of summaries.
    pub const NAMES: [&'static str; 7] = [
        "created",
        "configured",
        "recreated",
        "unchanged",
        "conflict",
        "failed",
        "skipped",
    ];

    /// The stable name of the outcome, as in `-o json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Recreated => "recreated",
            Self::Unchanged => "unchanged",
            Self::Conflict(_) => "conflict",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Whether the object is now as desired.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        matches!(
            self,
            Self::Created | Self::Configured | Self::Recreated | Self::Unchanged
        )
    }
}

/// The result of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What happened.
    pub outcome: Outcome,
    /// What the reader should know about a successful outcome, such as that it could not be checked.
    pub note: Option<String>,
    /// Warnings of the API server, such as deprecations.
    pub warnings: Vec<String>,
}

impl Applied {
    pub(crate) fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            note: None,
            warnings: Vec::new(),
        }
    }
}
