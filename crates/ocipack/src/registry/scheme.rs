//! HTTPS, or on the loopback whichever a registry speaks.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use super::{Registry, RegistryError};

impl Registry {
    /// `https`, or `http` where nobody else can listen or the user says so.
    pub(super) async fn scheme(&self, host: &str) -> Result<&'static str, RegistryError> {
        if self.options.plain_http {
            return Ok("http");
        }
        if !is_loopback(host) {
            return Ok("https");
        }
        let mut schemes = self.schemes.lock().await;
        if let Some(scheme) = schemes.get(host) {
            return Ok(scheme);
        }
        // A registry that speaks no TLS answers this with something that is not TLS.
        let probe = self.near.get(format!("https://{host}/v2/"));
        let scheme = match probe.timeout(self.options.timeout).send().await {
            Ok(_) => "https",
            Err(error) if is_certificate(&error) => "https",
            Err(_) => "http",
        };
        schemes.insert(host.to_owned(), scheme);
        Ok(scheme)
    }
}

/// Whether it speaks TLS, with a certificate that is not trusted: then it is not to be talked
/// to in plain text.
fn is_certificate(error: &reqwest::Error) -> bool {
    use std::error::Error;
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.to_string().contains("certificate") {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The host that serves a registry's API: Docker Hub's is not its name.
pub(super) fn api_host(registry: &str) -> &str {
    if registry == "docker.io" {
        "registry-1.docker.io"
    } else {
        registry
    }
}

/// Whether an address is on the loopback.
pub(super) fn is_near(url: &str) -> bool {
    let url = Url::parse(url).ok();
    url.is_some_and(|url| url.host_str().is_some_and(is_loopback))
}

fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or(rest);
        return address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    let name = host.split(':').next().unwrap_or(host);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_is_the_loopback() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.1.2.3",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "docker.io",
            "localhost.evil.example:5000",
            "10.0.0.1",
            "[::2]:5000",
            "1.127.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
