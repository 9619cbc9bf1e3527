//! A namespace of a test's own, as strict as Kubernetes has it.

use serde_json::json;

use crate::Shared;

/// Deleted when dropped; nobody waits for that.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    cluster: Shared,
}

impl Namespace {
    /// Makes `PREFIX-<process id>`, which enforces the Pod Security level "restricted".
    ///
    /// # Panics
    /// When the API server refuses.
    #[must_use]
    pub fn create(cluster: &Shared, prefix: &str) -> Self {
        let name = format!("{prefix}-{}", std::process::id());
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
            },
        });
        cluster
            .kubectl(&["create", "-f", "-"], &namespace.to_string())
            .exits(0);
        Self {
            name,
            cluster: cluster.clone(),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let ran = self
            .cluster
            .kubectl(&["delete", "namespace", &self.name, "--wait=false"], "");
        if ran.code != Some(0) {
            eprintln!("{ran}");
        }
    }
}
