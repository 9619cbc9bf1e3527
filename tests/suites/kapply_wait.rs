//! Waiting: what gets ready is waited for, what cannot get ready fails long
//! before its time is up, and the message names the cause.

#[path = "kapply_wait/failures.rs"]
mod failures;
#[path = "kapply_wait/goals.rs"]
mod goals;
#[path = "kapply_wait/pods.rs"]
mod pods;
#[path = "kapply_wait/rollouts.rs"]
mod rollouts;
#[path = "kapply_wait/trouble.rs"]
mod trouble;

use std::time::{Duration, Instant};

use e2e::{Namespace, Ran, Shared};
use serde_json::{Value, json};

/// A namespace of a test, and kapply and kubectl in it.
struct Place {
    shared: Shared,
    namespace: Namespace,
}

/// What `apply --wait -o json` said, and when.
struct Waited {
    ran: Ran,
    document: Value,
    took: Duration,
}

impl Place {
    fn new(prefix: &str) -> Self {
        let shared = Shared::get();
        let namespace = Namespace::create(&shared, prefix);
        Self { shared, namespace }
    }

    fn apply(&self, objects: &[Value], flags: &[&str]) -> Waited {
        let base = ["apply", "-n", &self.namespace.name, "-f", "-", "--wait"];
        let words = [&base[..], &["-o", "json"], flags].concat();
        let started = Instant::now();
        let ran = self.shared.kapply(&words, &list(objects));
        let took = started.elapsed();
        let document = serde_json::from_str(&ran.stdout).unwrap_or_default();
        Waited {
            ran,
            document,
            took,
        }
    }

    fn kubectl(&self, words: &[&str], input: &str) -> Ran {
        let words = [&["-n", &self.namespace.name], words].concat();
        self.shared.kubectl(&words, input).exits(0)
    }

    /// A container that Pod Security "restricted" lets in.
    fn container(&self, change: &Value) -> Value {
        let mut container = json!({
            "name": "main",
            "image": self.shared.image,
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 5000}, "periodSeconds": 1},
        });
        merge(&mut container, change);
        container
    }

    fn workload(&self, kind: &str, name: &str, container: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod(&self.container(container))},
            },
        })
    }

    fn deployment(&self, name: &str, container: &Value) -> Value {
        self.workload("Deployment", name, container)
    }

    fn job(&self, name: &str, args: &[&str]) -> Value {
        let change = json!({"args": args, "readinessProbe": null});
        let mut pod = pod(&self.container(&change));
        pod["restartPolicy"] = "Never".into();
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
               "spec": {"backoffLimit": 0, "template": {"spec": pod}}})
    }
}

impl Waited {
    /// Demands a failure well before the timeout, with every one of the words.
    #[track_caller]
    fn fails_within(self, seconds: u64, words: &[&str]) -> Self {
        let Self { ran, took, .. } = &self;
        assert_eq!(ran.code, Some(4), "{ran}");
        assert!(*took < Duration::from_secs(seconds), "{took:?}: {ran}");
        assert_eq!(self.document["summary"]["wait"], "failed", "{ran}");
        for word in words {
            assert!(ran.stderr.contains(word), "no word of {word:?}: {ran}");
        }
        self
    }

    #[track_caller]
    fn gets_ready(self) -> Self {
        assert_eq!(self.ran.code, Some(0), "{}", self.ran);
        assert_eq!(self.document["summary"]["wait"], "ready", "{}", self.ran);
        self
    }

    /// The wait of an object of this kind.
    #[track_caller]
    fn of(&self, kind: &str) -> &Value {
        let objects = self.document["objects"].as_array().unwrap();
        let found = objects.iter().find(|object| object["kind"] == kind);
        &found.unwrap_or_else(|| panic!("no {kind}: {}", self.ran))["wait"]
    }
}

fn pod(container: &Value) -> Value {
    json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    })
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn merge(into: &mut Value, change: &Value) {
    for (key, value) in change.as_object().into_iter().flatten() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            into[key] = value.clone();
        }
    }
}
