//! Why a set cannot be used; nothing has been changed then.

use super::{parent::Parent, tooling::Tooling};
use crate::{connect::RequestError, problem::Problems};

/// Why a set cannot be used, or its members not be found.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The reference names nothing that can be a parent.
    #[error("--applyset {reference}: {reason}")]
    Reference {
        /// The reference as it was given.
        reference: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// The parent object is not what a parent has to be.
    #[error("{parent} cannot be used as the parent of a set: {reason}")]
    Parent {
        /// The object.
        parent: Box<Parent>,
        /// What is missing or wrong, and what to do about it.
        reason: String,
    },
    /// Another tool takes care of the set.
    #[error(
        "the set of {parent} belongs to {tooling}, and only one tool may change a set; look at it with `kapply status --applyset`, then take it over with --adopt, or use another name"
    )]
    OtherTooling {
        /// The parent.
        parent: Box<Parent>,
        /// Whose it is.
        tooling: Tooling,
    },
    /// The account lacks a permission.
    #[error(
        "this account may not {verb} {resource}{place}, where the set may have members; nothing was pruned. Ask for the permission `{verb}` on {resource}{place}"
    )]
    Forbidden {
        /// The verb, such as `list`.
        verb: &'static str,
        /// `configmaps`, `deployments.apps`
        resource: String,
        /// ` in namespace shop`, or empty.
        place: String,
    },
    /// A kind of the set cannot be asked for at the moment.
    #[error("the set may have members of kind {kind}, but {reason}; nothing was pruned")]
    Unserved {
        /// `Widget.example.com`
        kind: String,
        /// Why it is not served.
        reason: String,
    },
    /// The parent was changed by somebody else meanwhile.
    #[error(
        "{parent} was changed by another run meanwhile, so it still names every kind and namespace of both; run this again when the other one is done"
    )]
    Raced {
        /// The parent.
        parent: Box<Parent>,
    },
    /// The parent's namespace does not exist.
    #[error(
        "{parent} cannot be written before anything is applied, because its namespace does not exist; create it (`kubectl create namespace {namespace}`) or add it to the input"
    )]
    NoNamespace {
        /// The parent.
        parent: Box<Parent>,
        /// The namespace.
        namespace: String,
    },
    /// Guards refuse to delete members; each is named.
    #[error("{0}")]
    Refused(Problems),
    /// A request failed.
    #[error("cannot {what}: {cause}")]
    Request {
        /// What was tried.
        what: String,
        /// The server's words, or why there are none.
        cause: String,
    },
}

impl SetError {
    pub(crate) fn request(what: String, error: &RequestError) -> Self {
        Self::Request {
            what,
            cause: error.to_string(),
        }
    }

    /// Whether a guard refused (exit code 5), as opposed to an error (2).
    #[must_use]
    pub fn is_guard(&self) -> bool {
        matches!(self, Self::OtherTooling { .. } | Self::Refused(_))
    }
}
