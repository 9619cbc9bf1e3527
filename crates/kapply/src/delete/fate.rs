//! What became of an object that was to go.

use super::Victim;

/// What became of an object that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is gone, or would be.
    Deleted,
    /// It was gone already.
    Missing,
    /// It is no member any more, and stays.
    Released,
    /// The server accepted the deletion, and nobody waits for the end.
    Going(String),
    /// The server accepted the deletion, but something holds the object.
    Held(String),
    /// It stays, because it is not what was judged any more, or because of what it holds.
    Kept(String),
    /// The server refused.
    Failed(String),
    /// Nothing was tried.
    Skipped(String),
}

impl Fate {
    /// The stable name of the fate, as in `-o json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Missing => "missing",
            Self::Released => "released",
            Self::Going(_) => "deleting",
            Self::Held(_) => "held",
            Self::Kept(_) => "kept",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Whether there is no such object any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Deleted | Self::Missing)
    }

    /// Why it is still there.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Deleted | Self::Missing | Self::Released => None,
            Self::Going(reason)
            | Self::Held(reason)
            | Self::Kept(reason)
            | Self::Failed(reason)
            | Self::Skipped(reason) => Some(reason),
        }
    }
}

/// What is heard of an object while it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'fate> {
    /// It is still there, because of this.
    Waits(&'fate str),
    /// This became of it.
    Ended(&'fate Fate),
}

impl Victim {
    /// `deployment.apps/web`
    #[must_use]
    pub fn label(&self) -> String {
        let kind = self.resource.kind.to_lowercase();
        if self.resource.group.is_empty() {
            format!("{kind}/{}", self.live.name())
        } else {
            format!("{kind}.{}/{}", self.resource.group, self.live.name())
        }
    }

    /// ` (namespace shop)`, or nothing for an object of the cluster.
    #[must_use]
    pub fn place(&self) -> String {
        self.live
            .namespace()
            .map(|namespace| format!(" (namespace {namespace})"))
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Victim {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{}", self.label(), self.place())
    }
}
