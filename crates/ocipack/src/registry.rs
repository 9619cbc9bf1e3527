//! Registries, as the distribution specification has them
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>).
//!
//! A request is tried again where that can help, with a new token where the old one ended, and
//! an upload or download that was cut goes on where it was cut.

mod body;
mod challenge;
mod credentials;
mod download;
mod error;
mod gate;
mod http;
mod manifest;
mod referrers;
mod retry;
mod scheme;
mod token;
mod upload;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use error::RegistryError;
pub(crate) use gate::Gate;
use reqwest::Client;
use tokio::sync::Mutex;
pub(crate) use upload::Upload;

use crate::reference::Reference;
use token::Tokens;

/// How to talk to registries.
#[derive(Debug, Clone)]
pub struct Options {
    /// Takes HTTP for every registry; else only one on the loopback may do without TLS.
    pub plain_http: bool,
    /// How many blobs are moved at once.
    pub jobs: usize,
    /// Bytes of a request's body; a larger blob is uploaded in several.
    pub chunk: u64,
    /// How often something is tried again without getting any further.
    pub retries: u32,
    /// How long a connection may be silent.
    pub timeout: Duration,
    /// Repositories of the same registry from which a missing blob may be taken over.
    pub mount_from: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plain_http: false,
            jobs: 4,
            chunk: 256 * 1024 * 1024,
            retries: 5,
            timeout: Duration::from_mins(1),
            mount_from: Vec::new(),
        }
    }
}

/// A client of registries. Credentials are those of Docker's or Podman's configuration.
///
/// The system's certificates are trusted, or those in `SSL_CERT_FILE`.
pub struct Registry {
    options: Options,
    client: Client,
    /// For the loopback.
    near: Client,
    /// By registry, each found once.
    schemes: Mutex<HashMap<String, &'static str>>,
    /// By repository.
    tokens: Mutex<HashMap<String, Arc<Tokens>>>,
}

/// One repository, with the address of its registry.
pub(crate) struct Repository<'a> {
    registry: &'a Registry,
    /// The registry as references name it, and the repository.
    host: String,
    name: String,
    /// `https://HOST`
    origin: String,
    tokens: Arc<Tokens>,
}

impl Registry {
    /// A client that has not talked to any registry yet.
    ///
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub fn new(options: Options) -> Result<Self, RegistryError> {
        let [client, near] = http::clients(options.plain_http)?;
        Ok(Self {
            client,
            near,
            options,
            schemes: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    fn client(&self, url: &str) -> &Client {
        if scheme::is_near(url) {
            &self.near
        } else {
            &self.client
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The repository of a reference.
    pub(crate) async fn repository(
        &self,
        reference: &Reference,
    ) -> Result<Repository<'_>, RegistryError> {
        let scheme = self.scheme(reference.registry()).await?;
        let host = scheme::api_host(reference.registry());
        let key = format!("{}/{}", reference.registry(), reference.repository());
        let tokens = Arc::clone(self.tokens.lock().await.entry(key).or_default());
        Ok(Repository {
            registry: self,
            origin: format!("{scheme}://{host}"),
            host: reference.registry().to_owned(),
            name: reference.repository().to_owned(),
            tokens,
        })
    }
}

impl Repository<'_> {
    /// `registry/repository`, for messages.
    pub(crate) fn display(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.origin, self.name)
    }
}
