//! containerd, kubelet and kube-proxy, on every node that runs pods.

use std::{net::SocketAddr, path::Path};

use serde_json::json;

use super::{CONTAINERD_SOCKET, Component, ConfigFile, Gate, config, flags, pki, pki_folder};
use crate::{
    images::PAUSE_NAME,
    kubeconfig,
    spec::{API_PORT, ClusterSpec, DNS_SERVICE, NodeSpec, POD_NET, REGISTRY_PORT, SWITCH},
};

/// Where containerd looks for how a registry is reached.
const REGISTRIES: &str = "registries";

pub(super) fn components(
    spec: &ClusterSpec,
    node: &NodeSpec,
    cgroup_root: &str,
) -> (Vec<Component>, Vec<ConfigFile>) {
    let server = spec.api_address(node);
    let api = format!("https://{server}:{API_PORT}");
    let api_serves = Some(Gate::Tcp(SocketAddr::from((server, API_PORT))));
    let access = |user: &str| kubeconfig::for_component(&api, pki_folder(), user);
    let mut files: Vec<ConfigFile> = [
        ("containerd.toml", containerd_config(&spec.runtime)),
        ("cni/net.d/10-klab.conflist", cni_config(node)),
        ("kubelet.json", kubelet_config(spec, cgroup_root)),
        ("kubelet.kubeconfig", access("kubelet")),
        ("kube-proxy.json", kube_proxy_config(node)),
        ("kube-proxy.kubeconfig", access("kube-proxy")),
        // The cluster has no way out, so it has no name servers to pass on.
        ("resolv.conf", "# klab: no name servers\n".to_owned()),
    ]
    .map(|(name, content)| (name.to_owned(), content))
    .into();
    files.extend(spec.registry.as_ref().and_then(|registry| {
        let name = format!("{REGISTRIES}/127.0.0.1:{}/hosts.toml", registry.port?);
        Some((name, registry_hosts()))
    }));
    let containerd = Component::new(
        "containerd",
        None,
        [format!("--config={}", config("containerd.toml"))],
    );
    let kubelet = Component::new(
        "kubelet",
        // It gives up for seconds when either does not answer at once.
        api_serves,
        [
            format!("--config={}", config("kubelet.json")),
            format!("--kubeconfig={}", config("kubelet.kubeconfig")),
            format!("--hostname-override={}", node.name),
            format!("--node-ip={}", node.ip()),
        ]
        .into_iter()
        .chain(flags(&spec.arguments.kubelet)),
    );
    let kube_proxy = Component::new(
        "kube-proxy",
        // As for the scheduler.
        Some(Gate::Ready(config("kube-proxy.kubeconfig").into())),
        [format!("--config={}", config("kube-proxy.json"))],
    );
    (vec![containerd, kubelet, kube_proxy], files)
}

fn containerd_config(runtime: &Path) -> String {
    let runtime = runtime.display();
    let cni = config("cni/net.d");
    let registries = config(REGISTRIES);
    format!(
        r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
# Not needed, or not there on every machine.
disabled_plugins = [
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
# One that could not load it, as where no inotify instance was free, ends and is started again.
required_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_NAME}"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "{registries}"

[plugins."io.containerd.cri.v1.runtime"]
# Lowering it is forbidden on some machines, and then no pod would start.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{runtime}"]
conf_dir = "{cni}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runtime}/runc"
SystemdCgroup = false
"#
    )
}

/// What the machine calls 127.0.0.1:PORT, a node finds at the switch. So an
/// image has one name, for whoever pushes it and for the pods.
fn registry_hosts() -> String {
    let server = format!("http://{SWITCH}:{REGISTRY_PORT}");
    format!(
        "server = \"{server}\"\n\n[host.\"{server}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
    )
}

/// `ptp` rather than `bridge`: every packet passes the node's own stack, so a
/// reply to a pod of the same node cannot slip past the Service's translation.
fn cni_config(node: &NodeSpec) -> String {
    let config = json!({
        "cniVersion": "1.0.0",
        "name": "klab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": node.pod_cidr() }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "backend": "nftables", "capabilities": { "portMappings": true } },
        ],
    });
    format!("{config:#}\n")
}

fn kubelet_config(spec: &ClusterSpec, cgroup_root: &str) -> String {
    let name_servers: Vec<_> = spec.name_server.iter().map(|_| DNS_SERVICE).collect();
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki("kubelet.crt"),
        "tlsPrivateKeyFile": pki("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup_root,
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "oomScoreAdj": 0,
        "clusterDNS": name_servers,
        "clusterDomain": "cluster.local",
        "resolvConf": config("resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "makeIPTablesUtilChains": false,
        "serializeImagePulls": false,
        // The machine's disk is shared: its fill level says nothing about this node.
        "evictionHard": { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // A lease of 4 s is renewed every second; the controller manager's grace is 8 s.
        "nodeLeaseDurationSeconds": 4,
        "nodeStatusUpdateFrequency": "2s",
    });
    format!("{config:#}\n")
}

fn kube_proxy_config(node: &NodeSpec) -> String {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        // A second by default: for clusters with thousands of Services.
        "nftables": { "minSyncPeriod": "100ms" },
        "clusterCIDR": POD_NET,
        "hostnameOverride": node.name,
        "oomScoreAdj": 0,
        "clientConnection": { "kubeconfig": config("kube-proxy.kubeconfig") },
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        // Zero leaves the machine's connection tracking limits alone.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    });
    format!("{config:#}\n")
}
