//! One request and its answer: made anew for each try, with the token of the day.

use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use super::body::body;
use super::retry::{Attempts, retry_after};
use super::{RegistryError, Repository, scheme};
use crate::content::Content;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 10;
/// The slowest upload that is waited for, in bytes for a second.
const SLOWEST: u64 = 32 * 1024;
/// Bytes of an answer that are read for its message.
const MAX_MESSAGE: usize = 64 * 1024;

/// The clients that all requests share: for registries out there, which the environment may put
/// a proxy in front of, and for those on the loopback. Nothing is in front of these, and a proxy
/// would be told in plain text what only the loopback may hear.
pub(super) fn clients(plain_http: bool) -> Result<[Client; 2], RegistryError> {
    let tls = |error: &dyn std::fmt::Display| RegistryError::Tls(error.to_string());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| tls(&error))?
        .with_no_client_auth();
    let client = |builder: ClientBuilder| {
        builder
            .tls_backend_preconfigured(config.clone())
            .redirect(redirects(plain_http))
            .connect_timeout(CONNECT_TIMEOUT)
            // Trying again is decided here, where it is known what that means.
            .retry(reqwest::retry::never())
            .user_agent(concat!("ocipack/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| tls(&error))
    };
    Ok([
        client(Client::builder())?,
        client(Client::builder().no_proxy())?,
    ])
}

/// Authorization does not follow to another host: the client drops it there.
fn redirects(plain_http: bool) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        let from_tls = |url: &Url| url.scheme() == "https";
        let in_plain = !from_tls(attempt.url()) && !scheme::is_near(attempt.url().as_str());
        if in_plain && !plain_http {
            attempt.error("it redirects to HTTP, beyond the loopback; --plain-http takes it")
        } else if attempt.previous().iter().any(from_tls) && !from_tls(attempt.url()) {
            attempt.error("it redirects from HTTPS to HTTP")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    })
}

/// A request that can be made again.
pub(super) struct Call {
    /// What it does, for messages.
    pub(super) what: String,
    method: Method,
    pub(super) url: String,
    headers: HeaderMap,
    body: Payload,
}

enum Payload {
    None,
    /// `length` bytes of a content, from `offset` on.
    Part {
        content: Content,
        offset: u64,
        length: u64,
    },
}

impl Call {
    pub(super) fn new(method: Method, url: String, what: String) -> Self {
        Self {
            what,
            method,
            url,
            headers: HeaderMap::new(),
            body: Payload::None,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        // Media types and ranges: a value that is none was not ours.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    pub(super) fn body(
        mut self,
        media_type: &str,
        content: Content,
        offset: u64,
        length: u64,
    ) -> Self {
        self.body = Payload::Part {
            content,
            offset,
            length,
        };
        self.header(CONTENT_TYPE, media_type)
    }
}

impl Repository<'_> {
    /// Sends until there is an answer that is no passing failure.
    pub(super) async fn send(&self, call: &Call) -> Result<Response, RegistryError> {
        let mut attempts = Attempts::new(self.registry.options.retries);
        loop {
            match self.send_once(call).await {
                Ok(response) => return Ok(response),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    /// Sends once, or twice if a new token is asked for.
    ///
    /// # Errors
    /// Whatever is not a success.
    pub(super) async fn send_once(&self, call: &Call) -> Result<Response, RegistryError> {
        let trusted = self.is_own(&call.url);
        let mut token = None;
        if trusted {
            token = self.authorization(&call.what).await?;
        }
        let response = self.transmit(call, token.clone()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !trusted {
            return judge(response, &call.what).await;
        }
        let headers = response.headers().clone();
        let refused = judge(response, &call.what).await.err();
        if !self.renew(&headers, token.as_ref(), &call.what).await? {
            return Err(self.unauthorized(&call.what, refused));
        }
        let token = self.authorization(&call.what).await?;
        let response = self.transmit(call, token).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let refused = judge(response, &call.what).await.err();
            return Err(self.unauthorized(&call.what, refused));
        }
        judge(response, &call.what).await
    }

    async fn transmit(
        &self,
        call: &Call,
        token: Option<HeaderValue>,
    ) -> Result<Response, RegistryError> {
        let client = self.registry.client(&call.url);
        let mut request = client.request(call.method.clone(), &call.url);
        request = request.headers(call.headers.clone());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let mut limit = self.registry.options.timeout;
        match &call.body {
            Payload::None if call.method == Method::GET || call.method == Method::HEAD => {}
            Payload::None => request = request.header(CONTENT_LENGTH, 0),
            Payload::Part {
                content,
                offset,
                length,
            } => {
                limit += Duration::from_secs(length / SLOWEST);
                let body = body(content.clone(), *offset, *length);
                request = request.header(CONTENT_LENGTH, *length).body(body);
            }
        }
        match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(RegistryError::transport(&call.what, error)),
            Err(_) => Err(silent(&call.what, limit)),
        }
    }

    /// Whether an address is of the registry itself: only there the token belongs.
    fn is_own(&self, url: &str) -> bool {
        let parse = |url: &str| Url::parse(url).ok().map(|url| url.origin());
        parse(url).is_some_and(|origin| Some(origin) == parse(&self.origin))
    }

    fn unauthorized(&self, what: &str, refused: Option<RegistryError>) -> RegistryError {
        let message = match refused {
            Some(RegistryError::Status { message, .. }) => message,
            _ => String::new(),
        };
        RegistryError::Unauthorized {
            what: what.to_owned(),
            registry: self.host.clone(),
            message,
        }
    }
}

/// A connection on which nothing came.
pub(super) fn silent(what: &str, limit: Duration) -> RegistryError {
    RegistryError::Transport {
        what: what.to_owned(),
        problem: format!("no answer within {} s", limit.as_secs()),
    }
}

/// An answer as success or as what the registry says is wrong.
async fn judge(response: Response, what: &str) -> Result<Response, RegistryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers());
    Err(RegistryError::Status {
        what: what.to_owned(),
        status,
        message: message(response).await,
        retry_after,
    })
}

/// The words of an error's body (distribution-spec, "Error Codes"), after a colon.
async fn message(mut response: Response) -> String {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > MAX_MESSAGE {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(CONNECT_TIMEOUT, read).await;
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return String::new();
    };
    let errors = document["errors"].as_array().into_iter().flatten();
    let mut words: Vec<&str> = errors
        .filter_map(|error| error["message"].as_str().or_else(|| error["code"].as_str()))
        .collect();
    words.dedup();
    if words.is_empty() {
        String::new()
    } else {
        format!(": {}", words.join(", "))
    }
}
