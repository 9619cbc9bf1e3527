//! The Deployment and the Service that the drills are about, checked before anything is started.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServicePort},
};
use kube::{
    Api, Client,
    core::{Selector, SelectorExt as _},
};

use crate::error::{Error, Result};

/// What the drills are about.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The namespace of both.
    pub namespace: String,
    /// The Deployment's name.
    pub deployment: String,
    /// The Service's name.
    pub service: String,
    /// The Deployment's UID.
    pub uid: String,
    /// The Deployment's pod selector.
    pub selector: Selector,
    /// Where the load goes: `http://<ClusterIP>:<port>/`.
    pub url: String,
    /// The Service's port that the load goes to.
    pub port: i32,
    /// The labels of its pod template.
    pub labels: BTreeMap<String, String>,
    /// The Service's address.
    pub address: String,
    /// The Deployment's containers: name and image.
    pub containers: Vec<(String, String)>,
}

/// Reads both objects and refuses what no drill could be run on.
///
/// # Errors
/// [`Error::Target`] when one does not exist, the Service has no `ClusterIP`, or it selects none of
/// the Deployment's pods; [`Error::Api`] when the server refuses a request.
pub async fn resolve(
    client: &Client,
    namespace: &str,
    deployment: &str,
    service: &str,
) -> Result<Target> {
    let (found_deployment, found_service) = tokio::try_join!(
        get::<Deployment>(client, "deployment", namespace, deployment, "--deployment"),
        get::<Service>(client, "service", namespace, service, "--service"),
    )?;
    build(
        namespace,
        deployment,
        service,
        found_deployment,
        found_service,
    )
}

async fn get<K>(client: &Client, kind: &str, namespace: &str, name: &str, flag: &str) -> Result<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    Api::<K>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
        .map_err(|error| Error::api(format!("get {kind} {namespace}/{name}"), &error))?
        .ok_or_else(|| {
            Error::Target(format!(
                "there is no {kind} {namespace}/{name}: apply it first, or name another with {flag} and --namespace"
            ))
        })
}

fn build(
    namespace: &str,
    deployment: &str,
    service: &str,
    found_deployment: Deployment,
    found_service: Service,
) -> Result<Target> {
    let uid = found_deployment.metadata.uid.unwrap_or_default();
    let spec = found_deployment.spec.unwrap_or_default();
    let selector: Selector = spec.selector.try_into().map_err(|error| {
        Error::Target(format!(
            "deployment {namespace}/{deployment}: spec.selector: {error}"
        ))
    })?;
    let labels = spec
        .template
        .metadata
        .and_then(|metadata| metadata.labels)
        .unwrap_or_default();
    let containers = spec
        .template
        .spec
        .unwrap_or_default()
        .containers
        .into_iter()
        .map(|container| (container.name, container.image.unwrap_or_default()))
        .collect();

    let spec = found_service.spec.unwrap_or_default();
    let wanted = spec.selector.unwrap_or_default();
    if wanted.is_empty() || !Selector::from_iter(wanted.clone()).matches(&labels) {
        return Err(Error::Target(format!(
            "service {namespace}/{service} selects {}, but the pods of deployment {namespace}/{deployment} are labelled {}: \
             no request would reach them; make spec.selector of the service match the labels of the pod template",
            list(&wanted),
            list(&labels),
        )));
    }
    let ip = spec.cluster_ip.filter(|ip| !ip.is_empty() && ip != "None").ok_or_else(|| {
        Error::Target(format!(
            "service {namespace}/{service} has no cluster IP (headless or ExternalName): drills send their load to one; give it type ClusterIP"
        ))
    })?;
    let port = spec.ports.unwrap_or_default().into_iter().find(is_tcp).ok_or_else(|| {
        Error::Target(format!("service {namespace}/{service} has no TCP port: the load is HTTP; add one to spec.ports"))
    })?;
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.clone()
    };
    Ok(Target {
        namespace: namespace.to_owned(),
        deployment: deployment.to_owned(),
        service: service.to_owned(),
        uid,
        selector,
        url: format!("http://{host}:{}/", port.port),
        port: port.port,
        labels,
        address: ip,
        containers,
    })
}

fn is_tcp(port: &ServicePort) -> bool {
    port.protocol
        .as_deref()
        .is_none_or(|protocol| protocol == "TCP")
}

fn list(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "nothing".to_owned();
    }
    let pairs: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn deployment() -> Deployment {
        from_value(json!({"metadata": {"name": "web"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web", "tier": "front"}},
                         "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}}))
        .unwrap()
    }

    fn built(service: serde_json::Value) -> Result<Target> {
        build(
            "demo",
            "web",
            "svc",
            deployment(),
            from_value(service).unwrap(),
        )
    }

    #[test]
    fn the_url_is_the_cluster_ip_with_the_first_tcp_port() {
        let target = built(
            json!({"spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7",
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 8000}]}}),
        )
        .unwrap();
        assert_eq!(target.url, "http://10.96.0.7:8000/");
        assert_eq!(target.selector.to_string(), "app=web");
        assert_eq!(target.containers, [("web".to_owned(), "web:1".to_owned())]);
    }

    #[test]
    fn a_service_that_selects_nothing_is_refused_with_both_label_sets() {
        let error = built(
            json!({"spec": {"selector": {"app": "wbe"}, "clusterIP": "10.96.0.7",
            "ports": [{"port": 8000}]}}),
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("service demo/svc selects app=wbe"),
            "{error}"
        );
        assert!(error.contains("labelled app=web,tier=front"), "{error}");
        let error = built(json!({"spec": {"clusterIP": "10.96.0.7"}}))
            .unwrap_err()
            .to_string();
        assert!(error.contains("selects nothing"), "{error}");
    }

    #[test]
    fn headless_and_portless_services_are_refused() {
        let headless = json!({"spec": {"selector": {"app": "web"}, "clusterIP": "None", "ports": [{"port": 1}]}});
        assert!(
            built(headless)
                .unwrap_err()
                .to_string()
                .contains("no cluster IP")
        );
        let portless = json!({"spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7"}});
        assert!(
            built(portless)
                .unwrap_err()
                .to_string()
                .contains("no TCP port")
        );
    }
}
