//! etcd, API server, controller manager and scheduler, on every server.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Component, ConfigFile, Gate, config, flags, pki, pki_folder};
use crate::{
    kubeconfig,
    spec::{API_PORT, ClusterSpec, NodeSpec, POD_NET, SERVICE_NET},
};

const ETCD_PORT: u16 = 2379;
const ETCD_PEER_PORT: u16 = 2380;

pub(super) fn components(
    spec: &ClusterSpec,
    server: &NodeSpec,
) -> (Vec<Component>, Vec<ConfigFile>) {
    let api = format!("https://127.0.0.1:{API_PORT}");
    let files = ["controller-manager", "scheduler"].map(|name| {
        let file = format!("{name}.kubeconfig");
        (file, kubeconfig::for_component(&api, pki_folder(), name))
    });
    let components = vec![
        etcd(spec, server),
        api_server(spec, server),
        controller_manager(spec),
        scheduler(spec),
    ];
    (components, files.into())
}

fn local(port: u16) -> Gate {
    Gate::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn etcd(spec: &ClusterSpec, server: &NodeSpec) -> Component {
    let clients = format!("https://127.0.0.1:{ETCD_PORT}");
    let peer = |server: &NodeSpec| format!("https://{}:{ETCD_PEER_PORT}", server.ip());
    let members: Vec<_> = spec
        .servers()
        .map(|server| format!("{}={}", server.name, peer(server)))
        .collect();
    let arguments = [
        format!("--name={}", server.name),
        "--data-dir=/var/lib/etcd".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        "--client-cert-auth".to_owned(),
        format!("--trusted-ca-file={}", pki("etcd-ca.crt")),
        format!("--cert-file={}", pki("etcd.crt")),
        format!("--key-file={}", pki("etcd.key")),
        format!("--listen-peer-urls={}", peer(server)),
        format!("--initial-advertise-peer-urls={}", peer(server)),
        format!("--initial-cluster={}", members.join(",")),
        "--peer-client-cert-auth".to_owned(),
        format!("--peer-trusted-ca-file={}", pki("etcd-ca.crt")),
        format!("--peer-cert-file={}", pki("etcd.crt")),
        format!("--peer-key-file={}", pki("etcd.key")),
        // A klab cluster is thrown away after a power cut of the machine; waiting
        // for the disk would only slow it down.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Component::new("etcd", None, arguments)
}

/// Only one of several servers' controllers and schedulers works at a time. What
/// Kubernetes allows for is 15 s until another one takes over from a lost one.
fn leader_election(spec: &ClusterSpec) -> Vec<String> {
    if spec.servers().count() == 1 {
        return vec!["--leader-elect=false".to_owned()];
    }
    vec![
        "--leader-elect-lease-duration=5s".to_owned(),
        "--leader-elect-renew-deadline=4s".to_owned(),
        "--leader-elect-retry-period=1s".to_owned(),
    ]
}

fn api_server(spec: &ClusterSpec, server: &NodeSpec) -> Component {
    let arguments = [
        format!("--advertise-address={}", server.ip()),
        format!("--secure-port={API_PORT}"),
        "--allow-privileged".to_owned(),
        "--anonymous-auth=false".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        // Beta, and off unless asked for: clusters have policies that change objects.
        "--feature-gates=MutatingAdmissionPolicy=true".to_owned(),
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true".to_owned(),
        "--profiling=false".to_owned(),
        // Open watches keep one that ends for 2 s, not for a minute: longer than nodes are given
        // before they count as lost.
        "--shutdown-send-retry-after=true".to_owned(),
        format!("--service-cluster-ip-range={SERVICE_NET}"),
        format!("--etcd-servers=https://127.0.0.1:{ETCD_PORT}"),
        format!("--etcd-cafile={}", pki("etcd-ca.crt")),
        format!("--etcd-certfile={}", pki("apiserver-etcd.crt")),
        format!("--etcd-keyfile={}", pki("apiserver-etcd.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        format!(
            "--kubelet-client-certificate={}",
            pki("apiserver-kubelet.crt")
        ),
        format!("--kubelet-client-key={}", pki("apiserver-kubelet.key")),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", pki("service-account.pub")),
        format!(
            "--service-account-signing-key-file={}",
            pki("service-account.key")
        ),
        format!(
            "--requestheader-client-ca-file={}",
            pki("front-proxy-ca.crt")
        ),
        "--requestheader-allowed-names=front-proxy-client".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        format!("--proxy-client-cert-file={}", pki("front-proxy.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy.key")),
    ];
    let arguments = arguments
        .into_iter()
        .chain(flags(&spec.arguments.api_server));
    Component::new("kube-apiserver", Some(local(ETCD_PORT)), arguments)
}

fn controller_manager(spec: &ClusterSpec) -> Component {
    let kubeconfig = config("controller-manager.kubeconfig");
    let arguments = [
        format!("--kubeconfig={kubeconfig}"),
        // Nobody but this node's own processes can ask it anything.
        "--authentication-skip-lookup".to_owned(),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--use-service-account-credentials".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            pki("service-account.key")
        ),
        format!("--root-ca-file={}", pki("ca.crt")),
        format!("--cluster-cidr={POD_NET}"),
        // klab numbers the nodes, and their pod networks with them.
        "--allocate-node-cidrs=false".to_owned(),
        // A lost node is known after 8 s instead of 50 s: see nodeLeaseDurationSeconds.
        "--node-monitor-grace-period=8s".to_owned(),
        "--node-monitor-period=1s".to_owned(),
        // Its controllers' own accounts are some 80 requests before the first of them
        // works: 4 s at the usual 20 per second.
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
        "--profiling=false".to_owned(),
    ];
    let arguments = arguments.into_iter().chain(leader_election(spec));
    Component::new("kube-controller-manager", Some(local(API_PORT)), arguments)
}

fn scheduler(spec: &ClusterSpec) -> Component {
    let kubeconfig = config("scheduler.kubeconfig");
    let arguments = [
        format!("--kubeconfig={kubeconfig}"),
        // Nobody but this node's own processes can ask it anything.
        "--authentication-skip-lookup".to_owned(),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--profiling=false".to_owned(),
    ];
    let arguments = arguments.into_iter().chain(leader_election(spec));
    // Until its rights are set up, a moment after the port is open, it is refused
    // everything, and tries again after seconds.
    let ready = Gate::Ready(kubeconfig.into());
    Component::new("kube-scheduler", Some(ready), arguments)
}
