//! The little that klab asks of the API server: is it ready, are the nodes,
//! and what they are called.

use std::{path::Path, time::Duration};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::{
    api::core::v1::{Node, NodeCondition, Service},
    jiff::Timestamp,
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    error::{Error, Result},
    spec::NodeSpec,
    state::Folder,
};

/// Says who made a field: klab's field manager.
pub(crate) const FIELD_MANAGER: &str = "klab";
const POLL: Duration = Duration::from_millis(100);

/// A client with the administrator's certificate.
///
/// # Errors
/// When the kubeconfig is missing or broken.
pub async fn client(folder: &Folder) -> Result<Client> {
    client_of(&folder.kubeconfig()).await
}

/// A client with the access that a kubeconfig gives.
///
/// # Errors
/// When it is missing or broken.
pub async fn client_of(path: &Path) -> Result<Client> {
    let broken =
        |error: &dyn std::fmt::Display| Error::State(format!("{}: {error}", path.display()));
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| broken(&error))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| broken(&error))?;
    config.connect_timeout = Some(Duration::from_secs(2));
    Client::try_from(config).map_err(|error| api("connecting", error))
}

/// Waits until the API server calls itself ready.
///
/// # Errors
/// When it does not within `limit`; the caller knows whose log tells more.
pub async fn ready(client: &Client, limit: Duration) -> Result<()> {
    // Nothing can be watched before it is ready: asking again is the only way.
    let wait = async {
        while readyz(client).await.is_err() {
            sleep(POLL).await;
        }
    };
    timeout(limit, wait).await.map_err(|_| {
        Error::Component(format!(
            "the API server is not ready after {} s",
            limit.as_secs()
        ))
    })
}

/// Asks the API server once whether it is ready.
///
/// # Errors
/// When it is not, or does not answer.
pub async fn readyz(client: &Client) -> Result<()> {
    let request = http_get("/readyz")?;
    let answer = timeout(Duration::from_secs(5), client.request_text(request))
        .await
        .map_err(|_| Error::Component("the API server does not answer".to_owned()))?;
    answer
        .map(drop)
        .map_err(|error| api("asking /readyz", error))
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>> {
    http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| Error::State(format!("cannot ask {path}: {error}")))
}

/// Waits until each of `nodes` is Ready, labels it, and reports each by name.
/// With `since`, what a kubelet said until then does not count: it is the last
/// word of the node's former life.
///
/// # Errors
/// When one is not Ready within `limit`: with what its conditions say.
pub async fn nodes_ready(
    client: &Client,
    nodes: &[NodeSpec],
    since: Option<Timestamp>,
    limit: Duration,
    mut report: impl FnMut(&str),
) -> Result<()> {
    let api_nodes: Api<Node> = Api::all(client.clone());
    let mut missing: Vec<(&NodeSpec, String)> = nodes
        .iter()
        .map(|node| (node, "it has not registered".to_owned()))
        .collect();
    let mut changes = watcher(api_nodes, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .boxed();
    let wait = async {
        while !missing.is_empty() {
            let Ok(Some(seen)) = changes.try_next().await else {
                continue;
            };
            let name = seen.metadata.name.as_deref().unwrap_or_default();
            let Some(position) = missing.iter().position(|(node, _)| node.name == name) else {
                continue;
            };
            match not_ready_because(&seen) {
                None if since.is_some_and(|since| heartbeat(&seen) <= Some(since)) => {}
                None => {
                    let (node, _) = missing.remove(position);
                    introduce(client, node).await?;
                    report(&node.name);
                }
                Some(reason) => missing[position].1 = reason,
            }
        }
        Ok(())
    };
    if let Ok(done) = timeout(limit, wait).await {
        return done;
    }
    let reasons: Vec<_> = missing
        .iter()
        .map(|(node, reason)| format!("{} ({reason})", node.name))
        .collect();
    Err(Error::Component(format!(
        "not Ready after {} s: {}",
        limit.as_secs(),
        reasons.join(", ")
    )))
}

fn ready_condition(node: &Node) -> Option<&NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")
}

/// When the kubelet last reported, in whole seconds.
fn heartbeat(node: &Node) -> Option<Timestamp> {
    ready_condition(node)?
        .last_heartbeat_time
        .as_ref()
        .map(|time| time.0)
}

/// What the Ready condition says, unless it is true.
#[must_use]
pub fn not_ready_because(node: &Node) -> Option<String> {
    match ready_condition(node) {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(
            ready
                .message
                .clone()
                .unwrap_or_else(|| ready.status.clone()),
        ),
        None => Some("the kubelet has not reported".to_owned()),
    }
}

/// A kubelet may neither give itself a role nor a pod network.
async fn introduce(client: &Client, node: &NodeSpec) -> Result<()> {
    let mut labels = serde_json::Map::new();
    if node.is_server() {
        labels.insert(
            "node-role.kubernetes.io/control-plane".to_owned(),
            json!("true"),
        );
    }
    let patch = json!({
        "metadata": { "labels": labels },
        "spec": { "podCIDR": node.pod_cidr(), "podCIDRs": [node.pod_cidr()] },
    });
    let nodes: Api<Node> = Api::all(client.clone());
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    nodes
        .patch(&node.name, &params, &Patch::Strategic(patch))
        .await
        .map(drop)
        .map_err(|error| api(&format!("labelling node {}", node.name), error))
}

/// All nodes the API server knows.
///
/// # Errors
/// When it does not answer.
pub async fn list_nodes(client: &Client) -> Result<Vec<Node>> {
    list(client, "listing nodes").await
}

/// All Services of all namespaces.
///
/// # Errors
/// When the API server does not answer.
pub async fn list_services(client: &Client) -> Result<Vec<Service>> {
    list(client, "listing Services").await
}

async fn list<K>(client: &Client, action: &str) -> Result<Vec<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let all: Api<K> = Api::all(client.clone());
    let params = ListParams::default();
    let list = timeout(Duration::from_secs(5), all.list(&params))
        .await
        .map_err(|_| Error::Component("the API server does not answer".to_owned()))?;
    list.map(|list| list.items)
        .map_err(|error| api(action, error))
}

/// Forgets a node. It is no error if it was unknown.
///
/// # Errors
/// When the API server refuses.
pub async fn forget_node(client: &Client, node: &NodeSpec) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    match nodes.delete(&node.name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api(&format!("deleting node {}", node.name), error)),
    }
}

fn api(action: &str, source: kube::Error) -> Error {
    Error::Api {
        action: action.to_owned(),
        source: Box::new(source),
    }
}
