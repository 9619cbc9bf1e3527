//! Where requests go: an address that is known, or a name that is asked for anew for each fresh
//! connection, as clients without a cache of their own do.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name,
};
use hyper::Uri;
use tokio::net::lookup_host;

use super::record::Failure;
use crate::error::{Error, Result};

/// A name with fewer dots is first asked for in the search domains, as the kubelet tells pods.
const NDOTS: usize = 5;
/// How long a name server may take to answer before it is asked once more, as in pods.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names under way at once.
const MOST: usize = 4096;

/// Who is asked for names, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameService {
    /// The name server's address; its port is 53.
    pub server: IpAddr,
    /// Domains in which a name is asked for, in this order, before it is asked for as it is.
    pub search: Vec<String>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Aim {
    place: Place,
    /// What the request names as its host.
    pub host: String,
    /// The path.
    pub path: String,
}

#[derive(Clone, Debug)]
enum Place {
    Address(SocketAddr),
    Name(Arc<Named>),
}

#[derive(Debug)]
struct Named {
    name: Name,
    port: u16,
    resolver: TokioResolver,
}

impl Aim {
    /// Reads `http://<host>:<port>/<path>`; without a name service, its host is looked up now and
    /// only now.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no such URL, its host has no address, or no name server can be
    /// asked.
    pub async fn parse(target: &str, names: Option<&NameService>) -> Result<Self> {
        let wrong = |why: &str| {
            Error::Usage(format!(
                "--target {target}: {why}; give http://<host>:<port>/"
            ))
        };
        let uri: Uri = target.parse().map_err(|_| wrong("not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("not an http:// URL"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(80);
        let place = match names {
            Some(names) => Place::Name(Arc::new(Named {
                name: name(host).map_err(|why| wrong(&why))?,
                port,
                resolver: resolver(names).map_err(|why| wrong(&why))?,
            })),
            None => Place::Address(
                lookup_host((host, port))
                    .await
                    .map_err(|error| wrong(&error.to_string()))?
                    .next()
                    .ok_or_else(|| wrong("the host has no address"))?,
            ),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            place,
            host: authority.to_string(),
            path: path.to_owned(),
        })
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// How the name could not be resolved.
    pub async fn address(&self) -> Result<SocketAddr, Failure> {
        match &self.place {
            Place::Address(address) => Ok(*address),
            Place::Name(named) => named
                .resolver
                .lookup_ip(named.name.clone())
                .await
                .map_err(|error| unresolved(&error))?
                .iter()
                .next()
                .map(|address| SocketAddr::new(address, named.port))
                .ok_or(Failure::NameMissing),
        }
    }

    /// Whether requests go to a name.
    #[must_use]
    pub fn is_named(&self) -> bool {
        matches!(self.place, Place::Name(_))
    }
}

fn name(host: &str) -> Result<Name, String> {
    Name::from_utf8(host).map_err(|error| error.to_string())
}

fn resolver(names: &NameService) -> Result<TokioResolver, String> {
    let search: Result<Vec<_>, _> = names.search.iter().map(|domain| name(domain)).collect();
    let config = ResolverConfig::from_parts(
        None,
        search?,
        vec![NameServerConfig::udp_and_tcp(names.server)],
    );
    let mut options = ResolverOpts::default();
    options.ndots = NDOTS;
    options.timeout = PATIENCE;
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    options.max_active_requests = MOST;
    // Every request is to show whether the name server answers.
    options.cache_size = 0;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| error.to_string())
}

fn unresolved(error: &NetError) -> Failure {
    match error {
        NetError::Timeout => Failure::NameTimeout,
        error if error.is_no_records_found() => Failure::NameMissing,
        _ => Failure::NameFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_that_is_no_http_url_is_refused() {
        for target in ["https://127.0.0.1/", "127.0.0.1:80", "http://", "nonsense"] {
            let error = Aim::parse(target, None).await.unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("--target {target}: ")),
                "{error}"
            );
        }
        let aim = Aim::parse("http://127.0.0.1:8000/a?b", None).await.unwrap();
        assert_eq!(
            (aim.host.as_str(), aim.path.as_str()),
            ("127.0.0.1:8000", "/a?b")
        );
        let v6 = Aim::parse("http://[::1]:8000/", None).await.unwrap();
        assert_eq!(v6.address().await, Ok("[::1]:8000".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_is_not_asked_for_before_there_is_a_request() {
        // Nobody answers at a documentation address (RFC 5737).
        let names = NameService {
            server: "192.0.2.1".parse().unwrap(),
            search: vec!["demo.svc.cluster.local".to_owned()],
        };
        let aim = Aim::parse("http://web:8000/", Some(&names)).await.unwrap();
        assert!(aim.is_named());
        assert_eq!(aim.host, "web:8000");
    }
}
