//! What cluster a test wants.

use std::{
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{Cluster, program::Program};
use crate::error::Result;

/// A cluster to start: three nodes with a name server, unless told otherwise.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    name: Option<String>,
    state: Option<PathBuf>,
    program: Option<PathBuf>,
    /// What `klab up` is told.
    options: Vec<String>,
}

impl Builder {
    /// The cluster's name, unlike any other's on this machine; without one, it is
    /// made of this process's number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many nodes, the servers among them.
    pub fn nodes(self, nodes: u8) -> Self {
        self.option(format!("--nodes={nodes}"))
    }

    /// How many of them run the control plane: 1, 3 or 5.
    pub fn servers(self, servers: u8) -> Self {
        self.option(format!("--servers={servers}"))
    }

    /// Only etcd, API server, controller manager and scheduler: nothing that runs pods.
    pub fn control_plane_only(self) -> Self {
        self.option("--control-plane-only")
    }

    /// A registry that every node pulls from: see [`Cluster::registry`].
    pub fn registry(self) -> Self {
        self.option("--registry")
    }

    /// No name server: names of Services are not resolved.
    pub fn no_dns(self) -> Self {
        self.option("--no-dns")
    }

    /// A further flag of every kubelet, as in `max-pods=20`.
    pub fn kubelet_arg(self, flag: &str) -> Self {
        self.option(format!("--kubelet-arg={flag}"))
    }

    /// A further flag of every API server, as in `v=2`.
    pub fn apiserver_arg(self, flag: &str) -> Self {
        self.option(format!("--apiserver-arg={flag}"))
    }

    /// Leaves a cluster that did not start, for a look at its logs.
    pub fn keep_failed(self) -> Self {
        self.option("--keep-failed")
    }

    /// The folder that clusters are kept in, instead of `KLAB_STATE` or `/var/lib/klab`.
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// The program `klab`, instead of [the one that is found](super#the-helper).
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Starts it, and waits until its nodes are Ready. It blocks: in async code,
    /// call it where that is allowed, as in `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    /// When there is no `klab`, the machine lacks something, a cluster of this
    /// name exists, or a component does not start; then nothing is left of it.
    pub fn start(self) -> Result<Cluster> {
        let name = self.name.unwrap_or_else(own_name);
        let program = Program::find(self.program, self.state, name)?;
        Cluster::start(program, &self.options)
    }

    fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }
}

/// Another one for every cluster of every process.
fn own_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", process::id())
}
