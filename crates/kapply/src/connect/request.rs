//! One request to the API server: sent with a bound on its time, retried while
//! the failure is a passing one, and logged without its body.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _},
    time::{Duration, Instant},
};

use http::{Request, Response};
use jiff::Timestamp;
use kube::{client::Body, core::Status};

use super::{Cluster, innermost};

/// Longer than the API server's own limit of 60 s for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
/// A first contact shows within this time whether anybody is there.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 7;
/// Half a second of them: whoever is not there shall be known soon.
const CONTACT_ATTEMPTS: u32 = 4;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// A server that asks for more patience than this is treated as if it asked for this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What the server says of fields that it does not know.
const UNTYPED: &str = "failed to create typed patch object";

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 2xx
    pub(crate) code: u16,
    /// The server's clock, to the second.
    pub(crate) date: Option<Timestamp>,
    /// Texts of `Warning` headers.
    pub(crate) warnings: Vec<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no successful answer.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The server said no.
    Status(Box<Status>),
    /// Nothing sensible came back.
    Transport(String),
    /// Nothing at all came back in this time.
    Timeout(Duration),
}

impl fmt::Display for RequestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => out.write_str(&describe(status)),
            Self::Transport(cause) => write!(out, "the request got no answer: {cause}"),
            Self::Timeout(limit) => {
                write!(
                    out,
                    "the request got no answer within {} s",
                    limit.as_secs()
                )
            }
        }
    }
}

/// The server's message, with its code where that adds something.
pub(crate) fn describe(status: &Status) -> String {
    match (status.message.is_empty(), status.code) {
        (true, code) => format!("HTTP {code} {}", status.reason)
            .trim_end()
            .to_owned(),
        (false, 401) => "unauthorized: the credentials of this context are not accepted".to_owned(),
        (false, _) => status.message.clone(),
    }
}

/// Which failures are worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// None: it is asked for what is good to know and no more.
    Never,
    /// What breaks soon, and only a few times: a first contact shall show
    /// whether anybody is there.
    Contact,
    /// Overload, server errors and broken connections.
    Transient,
    /// These, and what a definition, a namespace or an account that was
    /// created a moment ago answers until every part of the server knows it.
    Fresh,
}

impl Retry {
    fn attempts(self) -> u32 {
        match self {
            Self::Never => 1,
            Self::Contact => CONTACT_ATTEMPTS,
            Self::Transient | Self::Fresh => ATTEMPTS,
        }
    }

    /// How long one try may take.
    fn limit(self) -> Duration {
        match self {
            Self::Never | Self::Contact => CONTACT_TIMEOUT,
            Self::Transient | Self::Fresh => REQUEST_TIMEOUT,
        }
    }
}

impl Cluster {
    /// Sends a request until it succeeds, fails for good, or tries run out.
    pub(crate) async fn send(
        &self,
        request: &Request<Vec<u8>>,
        retry: Retry,
    ) -> Result<Reply, RequestError> {
        let mut attempt = 1;
        loop {
            let (error, wait) = match self.send_once(request, retry).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if attempt >= retry.attempts() || !is_passing(&error, retry) {
                return Err(error);
            }
            let delay = wait.map_or_else(
                || backoff(attempt),
                |wait| wait.min(LONGEST_RETRY_AFTER) + backoff(1),
            );
            tracing::debug!(attempt, delay_ms = delay.as_millis() as u64, "trying again");
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    async fn send_once(
        &self,
        request: &Request<Vec<u8>>,
        retry: Retry,
    ) -> Result<Reply, (RequestError, Option<Duration>)> {
        let started = Instant::now();
        let limit = retry.limit();
        let exchange = async {
            let response = self.requests.send(request.clone().map(Body::from)).await?;
            let (head, body) = response.into_parts();
            Ok::<_, kube::Error>(Response::from_parts(head, body.collect_bytes().await?))
        };
        let result = tokio::time::timeout(limit, exchange).await;
        let code = match &result {
            Ok(Ok(response)) => response.status().as_u16(),
            _ => 0,
        };
        tracing::info!(
            method = %request.method(),
            path = %request.uri(),
            code,
            ms = started.elapsed().as_millis() as u64,
            "request"
        );
        let response = match result {
            Err(_) => return Err((RequestError::Timeout(limit), None)),
            Ok(Err(error)) => return Err((RequestError::Transport(innermost(&error)), None)),
            Ok(Ok(response)) => response,
        };
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if response.status().is_success() {
            return Ok(Reply {
                date: header("date").and_then(server_time),
                code,
                warnings: response
                    .headers()
                    .get_all("warning")
                    .iter()
                    .filter_map(|value| warning(value.to_str().ok()?))
                    .collect(),
                body: response.into_body().to_vec(),
            });
        }
        let wait = header("retry-after")
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let mut status: Status = serde_json::from_slice(response.body()).unwrap_or_default();
        status.code = code;
        Err((RequestError::Status(status.boxed()), wait))
    }
}

fn is_passing(error: &RequestError, retry: Retry) -> bool {
    let status = match error {
        RequestError::Status(status) => status,
        RequestError::Transport(_) => return true,
        RequestError::Timeout(_) => return retry != Retry::Contact,
    };
    match (retry, status.code) {
        // The merge knows a definition that changed a moment later.
        (Retry::Fresh, 500) if status.message.contains(UNTYPED) => true,
        (_, 500) => !is_about_the_object(&status.message),
        (_, 429 | 502 | 503 | 504) | (Retry::Fresh, 404) => true,
        // The service account of a new namespace comes a moment after it.
        (Retry::Fresh, 403) => status.message.contains("error looking up service account"),
        _ => false,
    }
}

/// Whether a failure of the server is one of the object that it was sent: the
/// server says 500 of what it cannot convert, and will say so again.
pub(crate) fn is_about_the_object(message: &str) -> bool {
    message.contains("failed to convert new object") || message.contains(UNTYPED)
}

/// Exponential, capped, and spread over half its length so that parallel
/// requests do not come back together.
fn backoff(attempt: u32) -> Duration {
    let delay = FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
        .min(LONGEST_DELAY);
    // A hasher's random key is randomness enough for this.
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
        % 1000;
    delay / 2 + (delay / 2) * (random as u32) / 1000
}

/// `Date: Mon, 23 Nov 2026 09:36:00 GMT` (RFC 9110).
fn server_time(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// The text of `299 - "text"` (RFC 7234, as the API server sends it).
fn warning(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1.rsplit_once('"')?.0;
    Some(quoted.replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> RequestError {
        RequestError::Status(
            Status {
                code,
                ..Status::default()
            }
            .boxed(),
        )
    }

    #[test]
    fn passing_failures_are_told_from_final_ones() {
        assert!(is_passing(&status(429), Retry::Transient));
        assert!(is_passing(&status(503), Retry::Transient));
        assert!(is_passing(
            &RequestError::Transport("reset".into()),
            Retry::Transient
        ));
        let late = RequestError::Timeout(Duration::from_secs(10));
        assert!(is_passing(&late, Retry::Transient));
        assert!(!is_passing(&late, Retry::Contact));
        assert!(is_passing(&status(503), Retry::Contact));
        assert!(is_passing(&status(500), Retry::Transient));
        let RequestError::Status(mut unfit) = status(500) else {
            unreachable!()
        };
        unfit.message = "failed to convert new object (a/b; /v1, Kind=Secret) to proper version: \
                         unable to convert unstructured object to /v1, Kind=Secret: illegal base64 data"
            .to_owned();
        assert!(!is_passing(&RequestError::Status(unfit), Retry::Fresh));
        assert!(!is_passing(&status(404), Retry::Transient));
        assert!(is_passing(&status(404), Retry::Fresh));
        assert!(!is_passing(&status(422), Retry::Fresh));
    }

    #[test]
    fn delays_grow_and_stay_bounded() {
        for attempt in 1..20 {
            let delay = backoff(attempt);
            assert!(
                delay >= FIRST_DELAY / 2 && delay <= LONGEST_DELAY,
                "{delay:?}"
            );
        }
        assert!(backoff(6) > backoff(1));
    }

    #[test]
    fn headers_are_read() {
        assert_eq!(
            warning("299 - \"v1 Endpoints is \\\"deprecated\\\"\"").as_deref(),
            Some("v1 Endpoints is \"deprecated\"")
        );
        assert_eq!(
            server_time("Mon, 23 Nov 2026 09:36:00 GMT")
                .unwrap()
                .to_string(),
            "2026-11-23T09:36:00Z"
        );
    }
}
