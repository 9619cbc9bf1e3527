//! What can go wrong, said so that the reader knows which object and what to do next.

use std::{path::PathBuf, time::Duration};

/// Everything that stops kdrill short of a verdict. A broken promise is not an error: it is a
/// [`Check`](crate::timeline::document::Check) that did not hold.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag's value, or a combination of flags, makes no sense.
    #[error("{0}")]
    Usage(String),
    /// No client configuration could be made of the kubeconfig.
    #[error(
        "kubeconfig: {0}; name one with --kubeconfig or KUBECONFIG, and a context with --context"
    )]
    Kubeconfig(String),
    /// The API server does not answer.
    #[error(
        "the API server {server} does not answer: {cause}; check the address and that the cluster is up"
    )]
    Unreachable {
        /// Its URL.
        server: String,
        /// What the connection said.
        cause: String,
    },
    /// The API server refused or failed a request.
    #[error("{action}: {cause}")]
    Api {
        /// What was attempted, with the object's kind, namespace and name.
        action: String,
        /// What the server or the connection said.
        cause: String,
    },
    /// An object that the drills are about cannot be used as it is.
    #[error("{0}")]
    Target(String),
    /// Nothing was heard from the watches in time.
    #[error("the watches on {missing} delivered nothing within {} s: {cause}; check that this user may list and watch them", waited.as_secs())]
    NotSynced {
        /// The kinds that are missing.
        missing: String,
        /// How long was waited.
        waited: Duration,
        /// The last error of a watch.
        cause: String,
    },
    /// The load generator could not be started, or ended early.
    #[error("load generator `{command}`: {cause}")]
    Load {
        /// The command line that was run.
        command: String,
        /// What happened, with the end of its standard error.
        cause: String,
    },
    /// A command given by a flag failed.
    #[error("{flag} `{command}`: {cause}")]
    Command {
        /// The flag that gave the command.
        flag: String,
        /// The command line that was run.
        command: String,
        /// How it ended, with the end of its output.
        cause: String,
    },
    /// kapply, as a library, could not do its part.
    #[error("kapply: {action}: {cause}")]
    Kapply {
        /// What it was to do.
        action: String,
        /// Its words.
        cause: String,
    },
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The operating system's message.
        cause: std::io::Error,
    },
    /// The report could not be rendered.
    #[error("report: {0}; this is a defect of kdrill, timeline.json has the data")]
    Render(String),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps a failed API request; `action` names the verb and the object, like
    /// `get deployment demo/web`.
    pub fn api(action: impl Into<String>, cause: &kube::Error) -> Self {
        let cause = match cause {
            kube::Error::Api(status) if status.message.is_empty() => status.reason.clone(),
            kube::Error::Api(status) => status.message.clone(),
            other => chain(other),
        };
        Self::Api {
            action: action.into(),
            cause,
        }
    }

    /// Wraps an I/O error with the path it happened on.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}

/// An error with its sources on one line, without saying anything twice: HTTP client errors keep
/// the reason (connection refused) two sources down.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
