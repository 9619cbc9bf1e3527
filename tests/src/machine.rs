//! Everything on the machine that a cluster could leave behind or change.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The kernel settings that Kubernetes components like to change.
const SETTINGS: [&str; 9] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/conf/all/send_redirects",
];

/// Where components write unless they are kept from it.
const FOLDERS: [&str; 9] = [
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/cni",
    "/var/lib/etcd",
    "/var/log/pods",
    "/var/log/containers",
    "/etc/cni",
    "/opt/containerd",
    "/run/netns",
];

/// What there is of one cluster, and of what belongs to no cluster at all.
/// Two of them are equal when nothing was left and nothing changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    processes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    mounts: BTreeSet<String>,
    cgroups: BTreeSet<PathBuf>,
    links: BTreeSet<String>,
    rules: String,
    files: BTreeSet<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Traces {
    /// Takes stock of everything that names the cluster `name`, of the
    /// machine's own network, and of the folders and settings that
    /// components like to change.
    ///
    /// Processes are known by their environment, which they carry from their
    /// first instruction on, and by their namespaces: nothing may share one
    /// with a process of the cluster.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let folder = format!("/var/lib/klab/{name}");
        let processes = processes(&folder);
        Self {
            namespaces: processes.iter().flat_map(|pid| namespaces(pid)).collect(),
            processes,
            mounts: mounts(&folder),
            cgroups: cgroups(name),
            links: names(Path::new("/sys/class/net")),
            rules: rules(),
            files: std::iter::once(PathBuf::from(folder))
                .chain(FOLDERS.map(PathBuf::from))
                .filter(|path| path.exists())
                .collect(),
            settings: SETTINGS
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), setting(key)?)))
                .collect(),
        }
    }

    /// Whether any process of the cluster runs.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// The processes' ids, for killing them.
    pub fn pids(&self) -> impl Iterator<Item = &str> {
        self.processes.iter().map(String::as_str)
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let list = fs::read_dir(folder).into_iter().flatten().flatten();
    list.map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn processes(folder: &str) -> BTreeSet<String> {
    let marker = format!("KLAB_MEMBER={folder}#").into_bytes();
    let ours = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(&marker))
    };
    let processes = names(Path::new("/proc"));
    processes
        .into_iter()
        .filter(|name| name.parse::<u32>().is_ok())
        .filter(ours)
        .collect()
}

fn namespaces(pid: &str) -> BTreeSet<String> {
    let folder = PathBuf::from(format!("/proc/{pid}/ns"));
    let kinds = names(&folder);
    let links = kinds
        .iter()
        .filter_map(|kind| fs::read_link(folder.join(kind)).ok());
    links.map(|link| link.display().to_string()).collect()
}

fn mounts(folder: &str) -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts
        .lines()
        .filter(|line| line.contains(folder))
        .map(str::to_owned)
        .collect()
}

fn cgroups(name: &str) -> BTreeSet<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    // One hierarchy each on v1, the root itself on v2.
    let hierarchies = names(root)
        .into_iter()
        .map(|hierarchy| root.join(hierarchy));
    let all = hierarchies.chain(std::iter::once(root.to_owned()));
    all.map(|hierarchy| hierarchy.join("klab").join(name))
        .filter(|path| path.exists())
        .collect()
}

fn rules() -> String {
    let list = std::process::Command::new("nft")
        .args(["list", "ruleset"])
        .output();
    let rules = list.map(|output| output.stdout).unwrap_or_default();
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let addresses = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    format!("{}\n{routes}\n{addresses}", String::from_utf8_lossy(&rules))
}

fn setting(key: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc/sys").join(key)).ok()
}
