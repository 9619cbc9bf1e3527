//! `klab status`: what is there, and whether it works.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{
    api,
    cloud::{LoopbackNet, Published, published},
    error::Result,
    net::cable,
    process,
    state::Folder,
};

/// A cluster as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Where its API server is reached.
    pub server: Option<String>,
    /// Whether the API server calls itself ready.
    pub api_ready: bool,
    /// Where the registry is reached, if there is one.
    pub registry: Option<String>,
    /// The path of the kubeconfig.
    pub kubeconfig: String,
    /// The folder of the programs, kubectl among them.
    pub runtime: String,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Ports of Services that can be reached from the machine.
    pub services: Vec<Published>,
}

/// A node as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether its PID 1 runs.
    pub running: bool,
    /// Whether its cable is connected: it is not after `node partition`.
    pub connected: bool,
    /// Whether the API server calls it Ready; nothing when it cannot be asked.
    pub ready: Option<bool>,
    /// Its address inside the cluster.
    pub ip: String,
    /// The network of its pods.
    pub pod_cidr: String,
}

/// Looks at a cluster.
///
/// # Errors
/// When there is none, or `up` was interrupted.
pub async fn status(folder: &Folder) -> Result<Status> {
    let spec = folder.spec()?;
    let client = api::client(folder).await?;
    let api_ready = api::readyz(&client).await.is_ok();
    let mut services = Vec::new();
    let mut known = None;
    if api_ready {
        known = Some(api::list_nodes(&client).await?);
        let net = LoopbackNet::of(&folder.path());
        for service in api::list_services(&client).await? {
            services.extend(published(net, &service));
        }
    }
    // Without a switch nobody is connected.
    let connected = cable::connected(folder, &spec.nodes).unwrap_or_default();
    let mut nodes = Vec::new();
    for node in &spec.nodes {
        let ready = known
            .as_ref()
            .filter(|_| !spec.control_plane_only)
            .map(|known| {
                let named = known
                    .iter()
                    .find(|seen| seen.metadata.name.as_deref() == Some(&node.name));
                named.is_some_and(|seen| api::not_ready_because(seen).is_none())
            });
        nodes.push(NodeStatus {
            name: node.name.clone(),
            running: process::node_init(&folder.path(), &node.name)?.is_some(),
            connected: connected.contains(&node.name),
            ready,
            ip: node.ip().to_string(),
            pod_cidr: node.pod_cidr(),
        });
    }
    Ok(Status {
        name: spec.name.to_string(),
        server: spec
            .api_port
            .map(|port| format!("https://127.0.0.1:{port}")),
        api_ready,
        registry: spec
            .registry
            .and_then(|registry| registry.port)
            .map(|port| format!("127.0.0.1:{port}")),
        kubeconfig: folder.kubeconfig().display().to_string(),
        runtime: spec.runtime.display().to_string(),
        nodes,
        services,
    })
}

impl Status {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "cluster     {}\nAPI server  {} ({})\nregistry    {}\nkubeconfig  {}\nprograms    {}\n\n{:<10} {:<11} {:<9} {:<14} {}\n",
            self.name,
            self.server.as_deref().unwrap_or("-"),
            if self.api_ready { "ready" } else { "not ready" },
            self.registry.as_deref().unwrap_or("-"),
            self.kubeconfig,
            self.runtime,
            "NODE",
            "PROCESS",
            "READY",
            "ADDRESS",
            "PODS",
        );
        for node in &self.nodes {
            let process = match (node.running, node.connected) {
                (false, _) => "stopped",
                (true, false) => "partitioned",
                (true, true) => "running",
            };
            let ready = match node.ready {
                Some(true) => "Ready",
                Some(false) => "NotReady",
                None => "-",
            };
            let _ = writeln!(
                text,
                "{:<10} {process:<11} {ready:<9} {:<14} {}",
                node.name, node.ip, node.pod_cidr
            );
        }
        if !self.services.is_empty() {
            let _ = writeln!(text, "\n{:<30} REACHED AT", "SERVICE");
        }
        for Published {
            service,
            address,
            port,
            ..
        } in &self.services
        {
            let _ = writeln!(text, "{service:<30} {address}:{port}");
        }
        text
    }
}
