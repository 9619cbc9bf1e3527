//! What stops a whole run, as opposed to what one object's result says.

use crate::{plan::file::PlanFileError, problem::Problems, set::SetError};

/// Why nothing was done at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is refused; every problem is named with its place.
    #[error(transparent)]
    Input(#[from] Problems),
    /// A guard refuses; what it protects is named.
    #[error("{0}")]
    Guard(Problems),
    /// A set cannot be used.
    #[error(transparent)]
    Set(Box<SetError>),
    /// The kubeconfig or the in-cluster account cannot be used.
    #[error("cannot tell which cluster to use: {0}; set --kubeconfig or --context")]
    Config(String),
    /// The credentials cannot be had.
    #[error(
        "cannot log in: {origin}: {cause}; check the user of this context in the kubeconfig, or choose another with --context"
    )]
    Credentials {
        /// Where they come from.
        origin: String,
        /// The innermost cause.
        cause: String,
    },
    /// No answer, or none that makes sense, from the API server.
    #[error(
        "cannot reach the API server at {url}: {cause}; check the address, or choose another cluster with --context"
    )]
    Unreachable {
        /// The server's base URL.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// A plan file cannot be read or written.
    #[error(transparent)]
    PlanFile(Box<PlanFileError>),
    /// A report cannot be written.
    #[error("cannot write {path}: {cause}; give another path, or make the folder")]
    Report {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The API server answered a request that everything depends on with an error.
    #[error("the API server at {url} refused {what}: {cause}")]
    Refused {
        /// The server's base URL.
        url: String,
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        cause: String,
    },
}

impl From<SetError> for Error {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Refused(problems) => Self::Guard(problems),
            error => Self::Set(Box::new(error)),
        }
    }
}

impl From<PlanFileError> for Error {
    fn from(error: PlanFileError) -> Self {
        Self::PlanFile(Box::new(error))
    }
}
