//! A namespace for one test, held to the strictest Pod Security Standard.

use std::time::{SystemTime, UNIX_EPOCH};

use assert_cmd::{Command, assert::Assert};
use serde_json::Value;

use crate::{
    cluster::{Cluster, names},
    root,
};

/// A namespace that is deleted when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Makes a namespace whose name begins with `prefix`.
    ///
    /// # Panics
    /// When the API server refuses it.
    #[must_use]
    pub fn create(cluster: &Cluster, prefix: &str) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970");
        let name = format!("{prefix}-{:x}-{:x}", std::process::id(), since.as_micros());
        let manifest = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
            },
        });
        let mut create = cluster.kubectl();
        create
            .args(["create", "-f", "-"])
            .write_stdin(manifest.to_string())
            .assert()
            .success();
        Self {
            cluster: cluster.clone(),
            name,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `kapply COMMAND -n NAMESPACE`, further arguments to follow.
    #[must_use]
    pub fn kapply(&self, command: &str) -> Command {
        let mut kapply = self.cluster.kapply();
        kapply.args([command, "-n", &self.name]);
        kapply
    }

    /// `kubectl -n NAMESPACE`
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["-n", &self.name]);
        kubectl
    }

    /// Applies manifests from text, with the loaded image for `hostname-server`, and waits.
    #[track_caller]
    pub fn apply(&self, manifests: &str) -> Assert {
        let mut apply = self.kapply("apply");
        apply.args([
            "--image",
            &self.image(),
            "--wait",
            "--timeout",
            "2m",
            "-f",
            "-",
        ]);
        apply.write_stdin(manifests).assert()
    }

    /// Applies `manifests/`, with the loaded image, and waits.
    ///
    /// # Panics
    /// When it does not get ready.
    #[track_caller]
    pub fn apply_stack(&self) -> Assert {
        let mut apply = self.kapply("apply");
        apply
            .args(["--image", &self.image(), "--wait", "--timeout", "2m", "-f"])
            .arg(root().join("manifests"));
        apply.assert().success()
    }

    /// The `--image` argument of manifests that name the placeholder.
    #[must_use]
    pub fn image(&self) -> String {
        format!("hostname-server={}", self.cluster.image())
    }

    /// An object or a list in this namespace.
    ///
    /// # Panics
    /// When kubectl fails.
    #[must_use]
    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> Value {
        self.cluster.get(&[&["-n", &self.name], arguments].concat())
    }

    /// The names of such objects.
    ///
    /// # Panics
    /// When kubectl fails.
    #[must_use]
    #[track_caller]
    pub fn names(&self, arguments: &[&str]) -> Vec<String> {
        names(&self.get(arguments))
    }

    /// What `GET http://SERVICE:PORT/` answers to the server node.
    ///
    /// # Panics
    /// When there is no such Service, or it does not answer with 200.
    #[must_use]
    #[track_caller]
    pub fn http_body(&self, service: &str, port: u16) -> String {
        let object = self.get(&["service", service]);
        let address = object["spec"]["clusterIP"].as_str().expect("a ClusterIP");
        // Nodes are bare: bash speaks TCP where there is no curl.
        let script = format!(
            "exec 3<>/dev/tcp/{address}/{port} && \
             printf 'GET / HTTP/1.1\\r\\nHost: {service}\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3"
        );
        let mut get = self.cluster.klab();
        get.args([
            "exec", "server", "--", "timeout", "10", "bash", "-c", &script,
        ]);
        let response = crate::stdout(&get.assert().success());
        let (head, body) = response.split_once("\r\n\r\n").expect("an HTTP response");
        assert!(head.starts_with("HTTP/1.1 200 "), "{response}");
        body.to_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not waited for: the next test has a namespace of its own.
        let mut delete = self.cluster.kubectl();
        let deleted = delete
            .args(["delete", "namespace", &self.name, "--wait=false"])
            .output();
        if let Err(error) = deleted {
            eprintln!("namespace {} was not deleted: {error}", self.name);
        }
    }
}
