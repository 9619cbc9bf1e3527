//! Which Service is reached where: pure functions from Services to addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
};

use k8s_openapi::api::core::v1::Service;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A cluster's own part of the loopback: 127.A.B.0/24.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopbackNet([u8; 2]);

impl LoopbackNet {
    /// Another one for every folder, and never 127.0.B.0, where everybody else is.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
        Self([digest[0] | 1, digest[1]])
    }

    fn address(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0[0], self.0[1], last)
    }

    /// Where ports of nodes are.
    #[must_use]
    pub fn node_ports(self) -> Ipv4Addr {
        self.address(1)
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == [127, self.0[0], self.0[1]]
    }
}

/// A port of a Service, as it is reached from the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The Service, as `NAMESPACE/NAME`.
    pub service: String,
    /// Its address on the loopback.
    pub address: Ipv4Addr,
    /// The port there.
    pub port: u16,
    /// The port of every node that it leads to.
    pub node_port: u16,
}

/// The ports that are reached from the machine: TCP ones that have a node port.
#[must_use]
pub fn published(net: LoopbackNet, service: &Service) -> Vec<Published> {
    let Some(spec) = &service.spec else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for port in spec.ports.iter().flatten() {
        let number = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
        let (Some(node_port), Some(own)) = (number(port.node_port), number(Some(port.port))) else {
            continue;
        };
        if port.protocol.as_deref().is_some_and(|name| name != "TCP") {
            continue;
        }
        let at = |address, port| Published {
            service: name(service),
            address,
            port,
            node_port,
        };
        found.push(at(net.node_ports(), node_port));
        found.extend(given(net, service).map(|address| at(address, own)));
    }
    found
}

/// `NAMESPACE/NAME`
pub(super) fn name(service: &Service) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let metadata = &service.metadata;
    format!("{}/{}", part(&metadata.namespace), part(&metadata.name))
}

/// Whether a Service wants an address from us.
pub(super) fn wants_address(service: &Service) -> bool {
    let Some(spec) = &service.spec else {
        return false;
    };
    let others = spec.load_balancer_class.is_some();
    spec.type_.as_deref() == Some("LoadBalancer") && !others
}

/// The address that we gave a Service.
pub(super) fn given(net: LoopbackNet, service: &Service) -> Option<Ipv4Addr> {
    let status = service.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = status.ingress.iter().flatten();
    ingress
        .filter_map(|ingress| ingress.ip.as_deref()?.parse().ok())
        .find(|address| net.contains(*address))
}

/// The addresses to give or to take away, by the Service's name.
pub(super) fn changes(
    net: LoopbackNet,
    services: &BTreeMap<String, Service>,
) -> BTreeMap<String, Option<Ipv4Addr>> {
    let mut changes = BTreeMap::new();
    let mut taken = BTreeSet::from([net.node_ports()]);
    for (name, service) in services {
        match (wants_address(service), given(net, service)) {
            // Two with the same one: somebody wrote it there by hand.
            (true, Some(address)) if taken.insert(address) => {}
            (true, _) | (false, Some(_)) => drop(changes.insert(name.clone(), None)),
            (false, None) => {}
        }
    }
    let mut free = (2..=254).map(|last| net.address(last));
    for (name, address) in &mut changes {
        if wants_address(&services[name]) {
            *address = free.find(|address| taken.insert(*address));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, kind: &str, ip: Option<&str>) -> (String, Service) {
        let ingress: Vec<_> = ip.iter().map(|ip| json!({ "ip": ip })).collect();
        let service = serde_json::from_value(json!({
            "metadata": { "namespace": "n", "name": name },
            "spec": {
                "type": kind,
                "ports": [
                    { "port": 80, "nodePort": 30080, "protocol": "TCP" },
                    { "port": 53, "nodePort": 30053, "protocol": "UDP" },
                ],
            },
            "status": { "loadBalancer": { "ingress": ingress } },
        }));
        (format!("n/{name}"), service.unwrap())
    }

    const NET: LoopbackNet = LoopbackNet([77, 9]);

    #[test]
    fn clusters_have_parts_of_the_loopback_that_nobody_else_uses() {
        let one = LoopbackNet::of(Path::new("/var/lib/klab/one"));
        assert_ne!(one, LoopbackNet::of(Path::new("/var/lib/klab/two")));
        assert!(one.node_ports().is_loopback());
        assert_ne!(one.node_ports().octets()[1], 0);
    }

    #[test]
    fn tcp_ports_are_published_at_their_own_number_and_at_the_nodes() {
        let (_, service) = service("a", "LoadBalancer", Some("127.77.9.2"));
        let found = published(NET, &service);
        let ports: Vec<_> = found
            .iter()
            .map(|one| format!("{}:{}", one.address, one.port))
            .collect();
        assert_eq!(ports, ["127.77.9.1:30080", "127.77.9.2:80"]);
        assert!(found.iter().all(|one| one.node_port == 30080));
    }

    #[test]
    fn addresses_are_given_once_kept_and_taken_back() {
        let services = BTreeMap::from([
            service("kept", "LoadBalancer", Some("127.77.9.3")),
            service("new", "LoadBalancer", None),
            service("newer", "LoadBalancer", None),
            service("former", "ClusterIP", Some("127.77.9.2")),
            service("never", "NodePort", None),
        ]);
        let changes = changes(NET, &services);
        let expected = BTreeMap::from([
            ("n/former".to_owned(), None),
            ("n/new".to_owned(), Some(NET.address(2))),
            ("n/newer".to_owned(), Some(NET.address(4))),
        ]);
        assert_eq!(changes, expected);
    }
}
