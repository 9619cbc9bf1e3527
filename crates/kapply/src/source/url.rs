//! `-f https://…`: a manifest from elsewhere, fetched only if that was allowed.

use std::{error::Error as _, net::IpAddr, time::Duration};

use reqwest::{
    Client, Response, Url,
    header::CONTENT_TYPE,
    redirect::{Attempt, Policy},
};

use super::{file::too_large, problem};
use crate::problem::{File, Problem};

/// What a URL may send, in bytes.
const MAX_BYTES: u64 = 32 << 20;
/// How long it may take, from the first request to the last byte.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How often it may point elsewhere.
const MAX_REDIRECTS: usize = 5;

/// Whether kubectl would take this for a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The text behind a URL.
pub(super) async fn fetch(text: &str, allowed: bool) -> Result<File, Problem> {
    let Ok(url) = Url::parse(text) else {
        // Not repeated: what does not parse cannot be cleared of a password.
        return Err(Problem::general(
            "-f: a URL that does not parse; check its spelling",
        ));
    };
    let name = shown(&url);
    if !allowed {
        return Err(problem(
            &name,
            "URLs are read only with --allow-urls, since what they serve may change from run to run; \
             or download the file, look at it, and give its path",
        ));
    }
    check(&url).map_err(|message| problem(&name, message))?;
    match get(url).await {
        Ok(bytes) => Ok(File::read(&name, bytes)),
        Err(message) => Err(problem(&name, format!("cannot fetch it: {message}"))),
    }
}

async fn get(url: Url) -> Result<Vec<u8>, String> {
    let client = client().map_err(|error| cause(&error))?;
    let mut response = client
        .get(url)
        .send()
        .await
        .map_err(|error| cause(&error))?;
    if !response.status().is_success() {
        return Err(format!("the server answered {}", response.status()));
    }
    if is_page(&response) {
        return Err(
            "the server sent a web page; give the address of the raw file instead".to_owned(),
        );
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        if (bytes.len() + chunk.len()) as u64 > MAX_BYTES {
            return Err(too_large(MAX_BYTES));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn client() -> reqwest::Result<Client> {
    // The first provider that a process installs stays; any will do here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("kapply/", env!("CARGO_PKG_VERSION")))
        .timeout(TIMEOUT)
        .redirect(Policy::custom(redirect))
        .build()
}

fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let leaves_tls = attempt.url().scheme() == "http"
        && attempt
            .previous()
            .iter()
            .any(|earlier| earlier.scheme() == "https");
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(format!("it redirects more than {MAX_REDIRECTS} times"));
    }
    if leaves_tls {
        return attempt.error("it redirects from https to http");
    }
    match check(attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(message) => attempt.error(format!("it redirects elsewhere: {message}")),
    }
}

/// Plain HTTP only where nobody can listen in between.
fn check(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        scheme => Err(format!(
            "{scheme}: is not safe from being changed on its way; use https:"
        )),
    }
}

fn is_page(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"))
}

/// The URL without what may be a secret: user, password, query.
fn shown(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

/// The innermost cause. The outer ones repeat the URL, which may hold a password.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no complete answer within {} s", TIMEOUT.as_secs());
    }
    let Some(mut inner) = error.source() else {
        return "the request failed".to_owned();
    };
    while let Some(deeper) = inner.source() {
        inner = deeper;
    }
    inner.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_and_this_machine_are_safe() {
        for good in [
            "https://example.com/a",
            "http://localhost:8/a",
            "http://127.9.9.9/a",
            "http://[::1]:80/a",
        ] {
            assert_eq!(check(&Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com/a",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1/",
            "ftp://localhost/",
        ] {
            assert!(check(&Url::parse(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_carry_no_credentials() {
        let url =
            Url::parse("https://me:planted@example.com:8443/a/b.yaml?token=planted#x").unwrap();
        assert_eq!(shown(&url), "https://example.com:8443/a/b.yaml");
    }
}
