//! Everything that can go wrong, said so that the reader knows what to do next.

use std::{io, path::PathBuf};

use crate::spec::InvalidName;

/// klab's error; its text is one line and names the thing it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A system call that is not about a file failed.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A name that is not allowed.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The state on disk does not say what was asked for.
    #[error("{0}")]
    State(String),
    /// The machine lacks something.
    #[error("{0}")]
    Machine(String),
    /// A component did not do its part.
    #[error("{0}")]
    Component(String),
    /// The image or archive is not usable.
    #[error("{0}")]
    Image(String),
    /// The program klab, which the library works through, is missing or failed.
    #[error("{0}")]
    Helper(String),
    /// A certificate could not be made or read.
    #[error("certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The kernel refused a change of links, addresses or routes.
    #[error("network: {action}: {source}")]
    Network {
        /// What was tried.
        action: String,
        /// The kernel's answer.
        #[source]
        source: rtnetlink::Error,
    },
    /// The API server refused, or could not be reached.
    #[error("API server: {action}: {source}")]
    Api {
        /// What was tried.
        action: String,
        /// The client's error.
        #[source]
        source: Box<kube::Error>,
    },
}

/// klab's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds what was tried to a system error.
pub(crate) trait Context<T> {
    /// `action` and `path` go before the system's answer.
    fn file(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T>;
    /// `action` goes before the system's answer.
    fn system(self, action: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn file(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| Error::File {
            action,
            path: path.into(),
            source: source.into(),
        })
    }

    fn system(self, action: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::System {
            action: action.into(),
            source: source.into(),
        })
    }
}
