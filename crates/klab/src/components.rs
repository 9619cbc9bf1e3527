//! Which programs a node runs, and how they are configured: pure functions
//! from the spec to command lines and files.

mod control_plane;
mod worker;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    spec::{ClusterSpec, NodeSpec},
    state::{NodeFolder, private_dir, write_json, write_private},
};

/// Where a node finds its configuration and keys: its own `/var/lib/klab`.
pub const CONFIG: &str = "/var/lib/klab";
/// containerd's socket, in a node's own `/run`.
pub const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// A program that a node keeps running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The name of its log, and of its binary in the runtime.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What must answer before it is started.
    pub after: Option<Gate>,
}

/// A sign that another component serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A TCP port accepts connections.
    Tcp(std::net::SocketAddr),
    /// A Unix socket accepts connections.
    Unix(PathBuf),
    /// The API server calls itself ready, asked with this kubeconfig.
    Ready(PathBuf),
}

/// All that a node's PID 1 has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodePlan {
    /// Which node it is.
    pub node: NodeSpec,
    /// What it runs.
    pub components: Vec<Component>,
    /// The folder of the binaries.
    pub runtime: PathBuf,
}

impl Component {
    fn new(name: &str, after: Option<Gate>, arguments: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.to_owned(),
            arguments: arguments.into_iter().collect(),
            after,
        }
    }
}

/// A configuration file, relative to [`CONFIG`].
type ConfigFile = (String, String);

/// Writes everything a node needs into its folder; its keys are there already.
///
/// # Errors
/// When the disk refuses.
pub fn write_node(
    spec: &ClusterSpec,
    node: &NodeSpec,
    folder: &NodeFolder,
    cgroup_root: &str,
) -> Result<()> {
    let mut components = Vec::new();
    let mut files = Vec::new();
    if node.is_server() {
        let (control_plane, its_files) = control_plane::components(spec, node);
        components.extend(control_plane);
        files.extend(its_files);
    }
    if !spec.control_plane_only {
        let (worker, its_files) = worker::components(spec, node, cgroup_root);
        components.extend(worker);
        files.extend(its_files);
    }

    private_dir(&folder.config())?;
    private_dir(&folder.log())?;
    for (name, content) in files {
        let path = folder.config().join(name);
        if let Some(parent) = path.parent() {
            private_dir(parent)?;
        }
        write_private(&path, content)?;
    }
    let plan = NodePlan {
        node: node.clone(),
        components,
        runtime: spec.runtime.clone(),
    };
    write_json(&folder.plan(), &plan)
}

/// Flags of the user's, as k3s takes them: without the dashes, or with them.
pub fn flags(arguments: &[String]) -> impl Iterator<Item = String> {
    arguments
        .iter()
        .map(|argument| format!("--{}", argument.trim_start_matches('-')))
}

fn config(name: &str) -> String {
    format!("{CONFIG}/{name}")
}

fn pki(name: &str) -> String {
    format!("{CONFIG}/pki/{name}")
}

fn pki_folder() -> &'static Path {
    Path::new("/var/lib/klab/pki")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ExtraArguments;

    fn write(node: &NodeSpec, control_plane_only: bool) -> (tempfile::TempDir, NodePlan) {
        let folder = tempfile::tempdir().unwrap();
        let spec = ClusterSpec {
            name: "t".parse().unwrap(),
            nodes: vec![NodeSpec::server(1), node.clone()],
            control_plane_only,
            runtime: "/runtime".into(),
            api_port: None,
            registry: None,
            name_server: None,
            arguments: ExtraArguments {
                kubelet: vec!["max-pods=7".to_owned()],
                api_server: vec!["--v=4".to_owned()],
            },
            complete: false,
        };
        let state = crate::state::Folder::new(folder.path(), spec.name.clone()).node(&node.name);
        write_node(&spec, node, &state, "/klab/t/x").unwrap();
        let plan = crate::state::read_json(&state.plan()).unwrap();
        (folder, plan)
    }

    fn names(plan: &NodePlan) -> Vec<&str> {
        plan.components
            .iter()
            .map(|component| component.name.as_str())
            .collect()
    }

    #[test]
    fn the_server_runs_the_control_plane_and_pods() {
        let (_folder, plan) = write(&NodeSpec::server(1), false);
        let expected = [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "containerd",
            "kubelet",
            "kube-proxy",
        ];
        assert_eq!(names(&plan), expected);
    }

    #[test]
    fn an_agent_runs_pods_only_and_a_bare_control_plane_none() {
        assert_eq!(
            names(&write(&NodeSpec::agent(1), false).1),
            ["containerd", "kubelet", "kube-proxy"]
        );
        assert_eq!(names(&write(&NodeSpec::server(1), true).1).len(), 4);
    }

    #[test]
    fn further_arguments_come_last_with_or_without_dashes() {
        let (_folder, plan) = write(&NodeSpec::server(1), false);
        let last = |name: &str| {
            let component = plan.components.iter().find(|one| one.name == name);
            component.unwrap().arguments.last().unwrap().as_str()
        };
        assert_eq!(last("kubelet"), "--max-pods=7");
        assert_eq!(last("kube-apiserver"), "--v=4");
    }

    #[test]
    fn no_command_line_names_the_machines_own_folders() {
        let (folder, plan) = write(&NodeSpec::server(1), false);
        for component in &plan.components {
            for argument in &component.arguments {
                assert!(
                    !argument.contains(folder.path().to_str().unwrap()),
                    "{argument}"
                );
            }
        }
    }
}
