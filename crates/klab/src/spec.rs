//! What a cluster is, before anything runs: names, addresses, limits.
//!
//! Every address lives inside network namespaces of the cluster's own, so all
//! clusters use the same ones side by side; only the API port on 127.0.0.1 is
//! the machine's.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// The network that joins the nodes: 172.30.0.0/24.
pub const NODE_NET: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 30, 0, 0), 24);
/// The switch's address: every node's default gateway.
pub const SWITCH: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
/// The switch's hardware address, unlike any node's. A bridge without one of its own takes its
/// lowest port's, and every node loses its gateway for a second when that port comes or goes.
pub const SWITCH_MAC: [u8; 6] = [0x02, 0x6b, 0x6c, 0x61, 0x62, 0xff];
/// All pods of all nodes: 10.244.0.0/16, a /24 for each node.
pub const POD_NET: &str = "10.244.0.0/16";
/// `ClusterIPs`: 10.96.0.0/16.
pub const SERVICE_NET: &str = "10.96.0.0/16";
/// The `ClusterIP` of the Service `kubernetes`.
pub const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// Where the API server listens inside the cluster.
pub const API_PORT: u16 = 6443;
/// The `ClusterIP` of the cluster's name server.
pub const DNS_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Where the registry listens, at the switch's address.
pub const REGISTRY_PORT: u16 = 5000;
/// The first node that runs the control plane (and pods).
pub const SERVER: &str = "server";
/// The network holds this many nodes.
pub const MAX_NODES: u8 = 100;

/// etcd's quorum of five survives two losses; more would only make it slower.
pub const MAX_SERVERS: u8 = 5;

/// A name that klab refuses, and why.
#[derive(Debug, thiserror::Error)]
#[error("invalid {what} {name:?}: use 1 to {max} lower-case letters, digits and inner hyphens")]
pub struct InvalidName {
    what: &'static str,
    name: String,
    max: usize,
}

/// A cluster's name: part of paths, cgroups and object names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClusterName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        check_label("cluster name", name, 32)?;
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for ClusterName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

fn check_label(what: &'static str, name: &str, max: usize) -> Result<(), InvalidName> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (1..=max).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if good {
        Ok(())
    } else {
        Err(InvalidName {
            what,
            name: name.to_owned(),
            max,
        })
    }
}

/// One node: its name and the number that its addresses are made of: they end in 10 + index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// `server`, `server2`, …, `agent1`, `agent2`, …
    pub name: String,
    /// 0 for the server, [`MAX_NODES`] + N for serverN, N for agentN.
    pub index: u8,
}

impl NodeSpec {
    /// The `number`-th node of the control plane, counted from 1.
    #[must_use]
    pub fn server(number: u8) -> Self {
        if number == 1 {
            return Self {
                name: SERVER.to_owned(),
                index: 0,
            };
        }
        Self {
            name: format!("{SERVER}{number}"),
            index: MAX_NODES + number,
        }
    }

    /// The `index`-th agent, counted from 1.
    #[must_use]
    pub fn agent(index: u8) -> Self {
        Self {
            name: format!("agent{index}"),
            index,
        }
    }

    /// Whether this node runs the control plane.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.index == 0 || self.index > MAX_NODES
    }

    /// The node's address on the node network.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        Ipv4Addr::new(172, 30, 0, 10 + self.index)
    }

    /// The first address of the node's pod network, a /24.
    #[must_use]
    pub fn pod_net(&self) -> (Ipv4Addr, u8) {
        (Ipv4Addr::new(10, 244, self.index, 0), 24)
    }

    /// The node's pod network in CIDR notation.
    #[must_use]
    pub fn pod_cidr(&self) -> String {
        let (address, prefix) = self.pod_net();
        format!("{address}/{prefix}")
    }

    /// The same for every start: others remember it in their ARP tables.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        [0x02, 0x6b, 0x6c, 0x61, 0x62, self.index]
    }
}

/// A cluster as asked for; written to disk, and the truth about it from then on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// The cluster's name.
    pub name: ClusterName,
    /// The servers first, then the agents in the order they were added.
    pub nodes: Vec<NodeSpec>,
    /// Only etcd, API server, controller manager and scheduler: nothing that runs pods.
    pub control_plane_only: bool,
    /// The folder of the components' binaries.
    pub runtime: std::path::PathBuf,
    /// The API server's port on 127.0.0.1: the one asked for, and once it listens the one it has.
    pub api_port: Option<u16>,
    /// The registry, if there is one.
    pub registry: Option<Registry>,
    /// The program that resolves names of Services, if there is one.
    pub name_server: Option<std::path::PathBuf>,
    /// What components are told besides.
    pub arguments: ExtraArguments,
    /// Whether `up` has finished.
    pub complete: bool,
}

/// A registry of the cluster's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registry {
    /// Its port on 127.0.0.1: the one asked for, and once it listens the one it has.
    pub port: Option<u16>,
    /// Its program.
    pub program: std::path::PathBuf,
}

/// Further flags of components, as in `max-pods=20`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExtraArguments {
    /// Of every kubelet.
    pub kubelet: Vec<String>,
    /// Of every API server.
    pub api_server: Vec<String>,
}

impl ClusterSpec {
    /// The nodes that run the control plane.
    pub fn servers(&self) -> impl Iterator<Item = &NodeSpec> {
        self.nodes.iter().filter(|node| node.is_server())
    }

    /// Where this node's components reach an API server. Agents of several
    /// servers go through the switch, which finds one that answers.
    #[must_use]
    pub fn api_address(&self, node: &NodeSpec) -> Ipv4Addr {
        match self.servers().collect::<Vec<_>>().as_slice() {
            _ if node.is_server() => node.ip(),
            [only] => only.ip(),
            _ => SWITCH,
        }
    }

    /// The node called `name`.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The lowest agent number that is free, if the network has room.
    #[must_use]
    pub fn next_agent(&self) -> Option<NodeSpec> {
        (1..MAX_NODES)
            .map(NodeSpec::agent)
            .find(|agent| self.node(&agent.name).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "demo", "e2e-17", "0"] {
            assert!(good.parse::<ClusterName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", &"x".repeat(33)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_node_has_addresses_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        let servers = (1..=MAX_SERVERS).map(NodeSpec::server);
        for node in servers.chain((1..MAX_NODES).map(NodeSpec::agent)) {
            assert!(seen.insert(node.ip().to_string()));
            assert!(seen.insert(node.pod_cidr()));
            assert!(seen.insert(format!("{:?}", node.mac())));
            assert_ne!(node.ip(), SWITCH);
        }
    }

    #[test]
    fn a_removed_agents_number_is_used_again() {
        let spec = ClusterSpec {
            name: "t".parse().unwrap(),
            nodes: vec![NodeSpec::server(1), NodeSpec::agent(2)],
            control_plane_only: false,
            runtime: "/".into(),
            api_port: None,
            registry: None,
            name_server: None,
            arguments: ExtraArguments::default(),
            complete: true,
        };
        assert_eq!(spec.next_agent(), Some(NodeSpec::agent(1)));
        assert_eq!(spec.api_address(&NodeSpec::agent(2)), spec.nodes[0].ip());
    }
}
