//! What `up` spends its time on.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{
    process::{self, Member},
    spec::SERVER,
};

/// How long the parts of `up` took, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// The switch, the certificates and everybody's configuration.
    pub certificates: f64,
    /// Packing klab's own images, and importing them on every node: meanwhile, the
    /// control plane starts.
    pub images: f64,
    /// From the nodes' first processes until etcd serves.
    pub etcd: f64,
    /// From there until the API server is ready.
    pub api_server: f64,
    /// From there, and from when they have the images, until all nodes are Ready.
    pub nodes: f64,
    /// From there until what every cluster has works: its name server.
    pub add_ons: f64,
    /// All of it, and checking the machine before.
    pub total: f64,
}

/// Measures one part after the other.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// What the part took that ends here and now.
    pub(super) fn lap(&mut self) -> f64 {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
            .as_secs_f64()
    }
}

/// How long the first server's API server has been running: it is started when
/// etcd serves.
pub(super) fn api_server_runs(members: &[Member]) -> Option<Duration> {
    let is_it = |member: &&Member| {
        let program = member.command.first().map(String::as_str);
        member.role == SERVER && program.is_some_and(|path| path.ends_with("/kube-apiserver"))
    };
    process::age(members.iter().find(is_it)?.pid)
}
