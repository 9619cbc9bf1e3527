//! What can go wrong with a registry, and whether trying again can help.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;

/// What the TLS library says of an answer in plain text.
const NO_TLS: &str = "InvalidContentType";

/// Why a registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No complete answer came.
    #[error("cannot {what}: {problem}; is the registry reachable from here?")]
    Transport {
        /// What was tried, with the repository.
        what: String,
        /// What the connection said.
        problem: String,
    },
    /// The registry refused.
    #[error("cannot {what}: the registry says {status}{message}")]
    Status {
        /// What was tried, with the repository.
        what: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's own words, after a colon.
        message: String,
        /// How long the registry asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The registry takes nobody, or not these credentials.
    #[error(
        "cannot {what}: not authorized{message}; check the login with: docker login {registry}"
    )]
    Unauthorized {
        /// What was tried, with the repository.
        what: String,
        /// The registry.
        registry: String,
        /// The answer's own words, after a colon.
        message: String,
    },
    /// There is no such image.
    #[error("{0} is not in its registry; check name, tag and digest")]
    Missing(String),
    /// The registry sent something else than it should.
    #[error("{what}: {problem}")]
    Content {
        /// The object.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The login that is configured cannot be used.
    #[error("credentials for {registry}: {problem}")]
    Credentials {
        /// The registry.
        registry: String,
        /// What is wrong with them; never the credentials.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; check the system's certificates or SSL_CERT_FILE")]
    Tls(String),
    /// A file on this machine cannot be read or written.
    #[error("cannot keep {what}: {source}")]
    Io {
        /// The object.
        what: String,
        /// What reading or writing said.
        source: io::Error,
    },
}

impl RegistryError {
    /// Whether trying again can help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 408 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The same, with how long the registry asks to be left alone.
    pub(crate) fn later(mut self, asked: Duration) -> Self {
        if let Self::Status { message, .. } = &mut self {
            message.push_str("; it asks to come back in ");
            message.push_str(&asked.as_secs().to_string());
            message.push_str(" s");
        }
        self
    }

    /// The status that the registry refused with.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(status.as_u16()),
            Self::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }

    pub(crate) fn content(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Content {
            what: what.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn transport(what: &str, error: reqwest::Error) -> Self {
        use std::error::Error as _;
        // Query strings of uploads and downloads can carry a right of their own.
        let error = error.without_url();
        let mut problem = error.to_string();
        let mut source = error.source();
        // The innermost says what happened.
        while let Some(inner) = source {
            problem = inner.to_string();
            source = inner.source();
        }
        Self::Transport {
            what: what.to_owned(),
            problem: if problem.contains(NO_TLS) {
                "it answers without TLS, which only --plain-http takes".to_owned()
            } else {
                problem
            },
        }
    }
}
