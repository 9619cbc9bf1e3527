//! How requests reach the API server: all over one HTTP/2 connection, where
//! nothing stands in between. Thirty-two requests at once are one handshake then,
//! not thirty-two. Watches keep kube's own client: each holds a stream for as
//! long as it lasts, and a server allows only about a hundred of them.

use std::{env, time::Duration};

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _},
};
use rustls::pki_types::ServerName;
use tower::{BoxError, ServiceBuilder};

/// A connection that is silent for this long is asked whether it still is one.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that speaks HTTP/2 where the server does; `None` where kube's own is
/// needed: behind a proxy, with a plugin that would run once more, or if the
/// user says so as for kubectl, with `DISABLE_HTTP2`.
pub(super) fn multiplexed(config: &Config) -> kube::Result<Option<Client>> {
    if config.proxy_url.is_some()
        || config.auth_info.exec.is_some()
        || env::var_os("DISABLE_HTTP2").is_some()
    {
        return Ok(None);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        // A name that is none is kube's to complain about.
        let Ok(name) = ServerName::try_from(name.clone()) else {
            return Ok(None);
        };
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let mut connector = TimeoutConnector::new(tls.enable_all_versions().wrap_connector(tcp));
    connector.set_connect_timeout(config.connect_timeout);
    let client: legacy::Client<_, Body> = legacy::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(Some(Client::new(service, config.default_namespace.clone())))
}
