//! Stage 5: what would have to happen, object by object, before anything does.
//!
//! An object that is proved unchanged costs no request; whatever cannot be
//! proved is asked of the server with a dry run.

mod ask;
pub mod file;
mod fit;
mod immutable;
mod leftover;
mod merge;
mod options;
mod planner;
pub mod prove;
mod takeover;

use std::fmt;

use serde_json::Value;

pub(crate) use self::immutable::is_named;
pub use self::{
    options::{Check, Force, PlanOptions},
    planner::plan,
};
use crate::{object::Object, ssa::FieldConflict};

/// An object as the cluster has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The whole object, `managedFields` included.
    pub value: Value,
}

impl Live {
    /// `metadata.uid`, or empty.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// `metadata.resourceVersion`, or empty.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// `metadata.name`, or empty.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, if there is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|text| !text.is_empty())
    }

    fn text(&self, pointer: &str) -> &str {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// What is planned for one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is to happen.
    pub action: Action,
    /// The object as it is now, if it exists and matters to the action.
    pub live: Option<Live>,
    /// What the reader should know, such as why something could not be checked.
    pub notes: Vec<String>,
    /// Warnings of the API server, such as deprecations.
    pub warnings: Vec<String>,
}

/// What is to happen to one target.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It does not exist.
    Create {
        /// The object as the server would store it; the object as it is in the
        /// input where the server was not asked.
        after: Value,
        /// Who vouches for `after`.
        checked: Checked,
    },
    /// It exists and would change.
    Update {
        /// The object as the server would store it.
        after: Value,
        /// Fields that would be taken from other managers, because force was asked for.
        overridden: Vec<FieldConflict>,
    },
    /// It exists and is as desired.
    Unchanged(Proof),
    /// It has to be deleted and created anew, as was asked for.
    Recreate {
        /// The new object, as the server would store it.
        after: Value,
        /// The server's words for why an update is not possible.
        reason: String,
    },
    /// It cannot be applied.
    Blocked(Blocked),
}

impl Action {
    /// The stable name of the action, as in `-o json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Unchanged(_) => "unchanged",
            Self::Recreate { .. } => "recreate",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// Who says what a created object will look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The server, in a dry run.
    Server,
    /// The schema of the kind, from the server or from a CRD of the input.
    Schema,
    /// Nobody: there is no schema for it yet.
    Nobody,
}

/// How it is known that nothing would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By the live object and the schema; no request was sent.
    Local,
    /// The server's dry run came to what is live.
    Server,
}

/// Why an object cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Other managers own fields of it with other values.
    Conflict(Vec<FieldConflict>),
    /// A field that cannot change would have to; the server's words.
    Immutable(String),
    /// The object is not valid.
    Invalid(String),
    /// The account may not do it.
    Forbidden(String),
    /// Everything else.
    Failed(String),
}

impl Blocked {
    /// The stable name of the reason, as in `-o json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Immutable(_) => "immutable",
            Self::Invalid(_) => "invalid",
            Self::Forbidden(_) => "forbidden",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason, with the way out where only the object's name is missing in it.
    #[must_use]
    pub fn of(&self, object: &Object) -> String {
        match self {
            Self::Immutable(reason) => immutable::explain(object, reason),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(_) => out.write_str("other managers own fields with other values"),
            Self::Immutable(text)
            | Self::Invalid(text)
            | Self::Forbidden(text)
            | Self::Failed(text) => out.write_str(text),
        }
    }
}

/// A member of the set that is not in the input any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Prune {
    /// The object as it was listed; what is deleted must still have its UID and resource version.
    pub live: Live,
    /// The resource that serves it.
    pub resource: kube::core::ApiResource,
    /// Whether it goes.
    pub verdict: Verdict,
}

/// What happens to a member that is not in the input any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is deleted.
    Delete,
    /// It stays, and stays in the set, for this reason.
    Keep(String),
    /// A guard refuses to delete it; says which and how to allow it.
    Refused(String),
}

/// Everything that would have to happen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// One step for each target, in their order.
    pub steps: Vec<Step>,
    /// What leaves the set, in the order of deletion; empty without a set.
    pub prunes: Vec<Prune>,
}

impl Plan {
    /// Whether anything would change.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step.action, Action::Unchanged(_)))
            || self
                .prunes
                .iter()
                .any(|prune| prune.verdict == Verdict::Delete)
    }
}
