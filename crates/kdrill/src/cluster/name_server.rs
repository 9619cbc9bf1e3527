//! The cluster's name server, by the label that `CoreDNS` and its forerunner are known by.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client, api::ListParams};

use crate::error::{Error, Result};

/// Where it runs.
const NAMESPACE: &str = "kube-system";
/// Its Service's label in every common distribution.
const LABEL: &str = "k8s-app=kube-dns";

/// The address at which pods ask for names.
///
/// # Errors
/// [`Error::Target`] when the cluster has no name server, [`Error::Api`] when its Services cannot
/// be listed.
pub async fn find(client: &Client) -> Result<IpAddr> {
    let services = Api::<Service>::namespaced(client.clone(), NAMESPACE)
        .list(&ListParams::default().labels(LABEL))
        .await
        .map_err(|error| {
            Error::api(
                format!(
                    "list services labelled {LABEL} in {NAMESPACE} (or give the name server's address with --name-server)"
                ),
                &error,
            )
        })?;
    services
        .into_iter()
        .find_map(|service| service.spec?.cluster_ip?.parse().ok())
        .ok_or_else(|| {
            Error::Target(format!(
                "this cluster has no name server: {NAMESPACE} has no service labelled {LABEL} with an address, so no service can be reached by its name; install CoreDNS (klab has it unless up was told --no-dns), or name another server with --name-server"
            ))
        })
}
