//! The right to speak to a repository: a login sent along, or a token that a registry's token
//! service gives for it and that ends after a while
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::challenge::{Challenge, challenge};
use super::credentials::{self, Credentials};
use super::retry::Attempts;
use super::{RegistryError, Repository, scheme};

/// What the service's specification says of an answer without `expires_in`.
const DEFAULT_LIFE: u64 = 60;

/// What one repository's requests carry.
#[derive(Default)]
pub(crate) struct Tokens {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the registry asked for last.
    challenge: Option<Challenge>,
    /// Scopes that were ever asked for: a new token must not take an old right away.
    scopes: BTreeSet<String>,
    header: Option<HeaderValue>,
    ends: Option<Instant>,
}

#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Repository<'_> {
    /// The header to send, if the registry asked for one; a token at its end is exchanged first.
    pub(super) async fn authorization(
        &self,
        what: &str,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let mut state = self.tokens.state.lock().await;
        if state.ends.is_some_and(|ends| Instant::now() >= ends) {
            self.exchange(&mut state, what).await?;
        }
        Ok(state.header.clone())
    }

    /// Gets what a 401 asks for. `used` is the header that was refused.
    ///
    /// Returns false if there is nothing better to send.
    pub(super) async fn renew(
        &self,
        headers: &HeaderMap,
        used: Option<&HeaderValue>,
        what: &str,
    ) -> Result<bool, RegistryError> {
        let mut state = self.tokens.state.lock().await;
        if state.header.as_ref() != used {
            // Another request was faster.
            return Ok(true);
        }
        let Some(challenge) = challenge(headers) else {
            return Ok(false);
        };
        if let Challenge::Bearer { scope, .. } = &challenge {
            let scopes = scope.iter().flat_map(|scope| scope.split(' '));
            state.scopes.extend(scopes.map(str::to_owned));
        } else if used.is_some() {
            // The same login again is refused again.
            return Ok(false);
        }
        state.challenge = Some(challenge);
        self.exchange(&mut state, what).await?;
        Ok(state.header.is_some())
    }

    async fn exchange(&self, state: &mut State, what: &str) -> Result<(), RegistryError> {
        let Some(challenge) = state.challenge.clone() else {
            return Ok(());
        };
        let login = self.login().await?;
        match challenge {
            Challenge::Basic => {
                state.header = basic(&self.registry.client, &login);
                state.ends = None;
            }
            Challenge::Bearer { realm, service, .. } => {
                let realm = self.realm(&realm)?;
                let scopes = state.scopes.iter().cloned().collect();
                let asked = Asked {
                    realm,
                    service,
                    scopes,
                    what: format!("{what} (asking for a token)"),
                };
                let granted = self.ask(&asked, &login).await?;
                let life = granted.expires_in.unwrap_or(DEFAULT_LIFE);
                let token = granted.token.or(granted.access_token);
                state.header = token.and_then(|token| secret(&format!("Bearer {token}")));
                // A tenth earlier: it has to last for a request.
                state.ends = Some(Instant::now() + Duration::from_secs(life) * 9 / 10);
            }
        }
        Ok(())
    }

    async fn login(&self) -> Result<Credentials, RegistryError> {
        let (host, name) = (self.host.clone(), self.name.clone());
        // A helper is a program that may take its time.
        let found = tokio::task::spawn_blocking(move || credentials::find(&host, &name)).await;
        found.map_err(|error| RegistryError::Credentials {
            registry: self.host.clone(),
            problem: error.to_string(),
        })?
    }

    /// The token service's address: a login is sent there.
    fn realm(&self, realm: &str) -> Result<Url, RegistryError> {
        let refuse = |problem: String| RegistryError::content(&self.host, problem);
        let url = Url::parse(realm)
            .map_err(|error| refuse(format!("names the token service {realm:?}: {error}")))?;
        let is_plain = self.origin.starts_with("http:");
        // A registry on the loopback speaks plain text, and its token service may be anywhere.
        let is_taken = self.registry.options.plain_http || scheme::is_near(realm);
        if url.scheme() == "https" || (url.scheme() == "http" && is_plain && is_taken) {
            return Ok(url);
        }
        let hint = if is_plain {
            "; --plain-http takes it"
        } else {
            ""
        };
        Err(refuse(format!(
            "names the token service {realm}, to which a login would go in plain text{hint}"
        )))
    }

    async fn ask(&self, asked: &Asked, login: &Credentials) -> Result<Granted, RegistryError> {
        let mut attempts = Attempts::new(self.registry.options.retries);
        loop {
            match self.ask_once(asked, login).await {
                Ok(granted) => return Ok(granted),
                Err(error) if error.status() == Some(401) => {
                    return Err(RegistryError::Unauthorized {
                        what: asked.what.clone(),
                        registry: self.host.clone(),
                        message: String::new(),
                    });
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    async fn ask_once(&self, asked: &Asked, login: &Credentials) -> Result<Granted, RegistryError> {
        let client = self.registry.client(asked.realm.as_str());
        let service = asked
            .service
            .iter()
            .map(|service| ("service", service.as_str()));
        let request = if let Credentials::Identity(token) = login {
            let scopes = asked.scopes.join(" ");
            let fixed = [
                ("grant_type", "refresh_token"),
                ("client_id", "ocipack"),
                ("refresh_token", token),
                ("scope", &scopes),
            ];
            let form: Vec<_> = fixed.into_iter().chain(service).collect();
            client.post(asked.realm.clone()).form(&form)
        } else {
            let scopes = asked.scopes.iter().map(|scope| ("scope", scope.as_str()));
            let query: Vec<_> = service.chain(scopes).collect();
            let request = client.get(asked.realm.clone()).query(&query);
            match login {
                Credentials::Password { user, password } => {
                    request.basic_auth(user, Some(password))
                }
                _ => request,
            }
        };
        let transport = |error| RegistryError::transport(&asked.what, error);
        let request = request.timeout(self.registry.options.timeout);
        let response = request.send().await.map_err(transport)?;
        let status = response.status();
        if !status.is_success() {
            return Err(RegistryError::Status {
                what: asked.what.clone(),
                status,
                message: String::new(),
                retry_after: super::retry::retry_after(response.headers()),
            });
        }
        let body = response.bytes().await.map_err(transport)?;
        serde_json::from_slice(&body).map_err(|_| {
            // Not what was wrong with it: there may be a token in it.
            RegistryError::content(&asked.what, "the token service's answer is malformed")
        })
    }
}

struct Asked {
    realm: Url,
    service: Option<String>,
    scopes: Vec<String>,
    what: String,
}

fn basic(client: &Client, login: &Credentials) -> Option<HeaderValue> {
    let Credentials::Password { user, password } = login else {
        return None;
    };
    // The client knows how to write it.
    let request = client
        .get("http://localhost/")
        .basic_auth(user, Some(password));
    let header = request.build().ok()?;
    header
        .headers()
        .get(reqwest::header::AUTHORIZATION)
        .cloned()
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value).ok()?;
    header.set_sensitive(true);
    Some(header)
}
