//! Which cluster it is, whatever its address: the UID of `kube-system`, which
//! is as old as the cluster and never deleted.

use serde::{Deserialize, Serialize};

use crate::{connect::Cluster, live, plan::Live};

/// What a cluster is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterId {
    /// Base URL of the API server.
    pub url: String,
    /// UID of the namespace `kube-system`; `None` if the account may not read it.
    pub uid: Option<String>,
}

impl ClusterId {
    /// Asks the cluster.
    pub async fn of(cluster: &Cluster) -> Self {
        let found = live::get_path(cluster, "/api/v1/namespaces/kube-system").await;
        let uid = found
            .ok()
            .flatten()
            .as_ref()
            .map(Live::uid)
            .map(str::to_owned);
        Self {
            url: cluster.url.clone(),
            uid,
        }
    }

    /// Whether both are the same cluster; by the address where the UID is not known.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.uid, &other.uid) {
            (Some(one), Some(other)) => one == other,
            _ => self.url == other.url,
        }
    }
}
