//! An API server that fails now and then: what is passing is tried again and
//! loses nothing, what is not is told, and the next run finishes.

#[path = "kapply_faults/races.rs"]
mod races;
#[path = "kapply_faults/watches.rs"]
mod watches;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
    time::Duration,
};

use e2e::{Fault, FaultProxy, Namespace, Ran, Rule, Shared};
use serde_json::{Value, json};

/// `kubectl proxy`: the API server in plain HTTP, on loopback, for as long as this lives.
struct Plain {
    child: Child,
    address: SocketAddr,
}

impl Plain {
    fn start(shared: &Shared) -> Self {
        let mut child = shared
            .kubectl_command(&["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let stdout = child.stdout.take().expect("it was piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("kubectl says where it listens");
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        Self {
            address: address
                .parse()
                .unwrap_or_else(|error| panic!("{line:?}: {error}")),
            child,
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Scene {
    shared: Shared,
    namespace: Namespace,
    proxy: FaultProxy,
    kubeconfig: tempfile::NamedTempFile,
    _plain: Plain,
}

impl Scene {
    fn new(prefix: &str) -> Self {
        let shared = Shared::get();
        let plain = Plain::start(&shared);
        let proxy = FaultProxy::start(plain.address, Vec::new());
        let kubeconfig = tempfile::NamedTempFile::new().expect("a temporary file");
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": format!("http://{}", proxy.address)}}],
            "users": [{"name": "x", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]});
        fs::write(kubeconfig.path(), config.to_string()).expect("written");
        Self {
            namespace: Namespace::create(&shared, prefix),
            shared,
            proxy,
            kubeconfig,
            _plain: plain,
        }
    }

    /// An apply with prune of these objects, through the proxy.
    fn apply(&self, numbers: std::ops::Range<usize>, value: &str) -> Ran {
        self.apply_with(&[], numbers, value)
    }

    /// The same, where a guard would refuse it.
    fn apply_allowing(&self, what: &str, numbers: std::ops::Range<usize>, value: &str) -> Ran {
        self.apply_with(&["--allow-prune", what], numbers, value)
    }

    fn apply_with(&self, flags: &[&str], numbers: std::ops::Range<usize>, value: &str) -> Ran {
        let items: Vec<_> = numbers
            .map(|number| {
                let kind = if number % 3 == 0 { "Secret" } else { "ConfigMap" };
                let data = if number % 3 == 0 { "stringData" } else { "data" };
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": format!("o-{number}")}, data: {"k": value}})
            })
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let kubeconfig = self.kubeconfig.path().to_str().expect("UTF-8");
        let words = [
            "apply",
            "--kubeconfig",
            kubeconfig,
            "-n",
            &self.namespace.name,
            "--applyset",
            "faulty",
            "--prune",
            "-f",
            "-",
        ];
        self.shared.kapply(&[&words[..], flags].concat(), &list)
    }

    fn names(&self) -> BTreeSet<String> {
        let part_of = "applyset.kubernetes.io/part-of";
        let list = self.shared.get_json(&[
            "-n",
            &self.namespace.name,
            "configmaps,secrets",
            "-l",
            part_of,
        ]);
        let items = list["items"].as_array().expect("a list");
        items
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn value(&self, number: usize) -> Value {
        let name = format!("o-{number}");
        self.shared
            .get_json(&["-n", &self.namespace.name, "configmap", &name])["data"]["k"]
            .clone()
    }
}

fn names(numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    numbers.map(|number| format!("o-{number}")).collect()
}

fn busy() -> Fault {
    Fault::Answer(429, vec![("retry-after", "1".to_owned())])
}

fn broken() -> Fault {
    Fault::Answer(500, Vec::new())
}

#[test]
fn passing_faults_lose_nothing() {
    let scene = Scene::new("faults");
    scene.proxy.set(vec![
        Rule::new("GET", "/namespaces/", broken()),
        Rule::new("GET", "/openapi/v3", Fault::CutAnswer(100)),
        Rule::new("PATCH", "/configmaps/", busy()).times(3),
        Rule::new("PATCH", "/secrets/", broken()).skip(1).times(2),
        Rule::new("PATCH", "/configmaps/", Fault::CutAnswer(10)).times(4),
        Rule::new("PATCH", "/configmaps/", Fault::CutRequest(10)).times(4),
    ]);
    let ran = scene.apply(0..40, "1").exits(0);
    assert!(ran.stdout.contains("40 objects: "), "{ran}");
    assert_eq!(scene.names(), names(0..40));

    let faults = scene.proxy.seen();
    let of = |status| faults.iter().filter(|seen| seen.status == status).count();
    assert!(of(Some(429)) == 3 && of(Some(500)) == 3, "{faults:?}");

    scene.proxy.set(vec![
        Rule::new("GET", "/configmaps", Fault::CutAnswer(2000)),
        Rule::new("GET", "/secrets", Fault::Slow(Duration::from_millis(50))),
        Rule::new("PATCH", "dryRun", busy()).times(2),
        Rule::new("PATCH", "/secrets/", Fault::Answer(503, Vec::new())).times(2),
        Rule::new("DELETE", "/configmaps/", broken()).times(2),
        Rule::new("DELETE", "/secrets/", Fault::CutAnswer(5)).times(2),
    ]);
    scene.apply(15..50, "2").exits(0);
    assert_eq!(scene.names(), names(15..50));
    assert_eq!(scene.value(16), "2");
    let quiet = scene.apply(15..50, "2").exits(0);
    // Secrets are given as stringData, which is never read back: the server is asked.
    assert!(quiet.stdout.contains("35 objects: 35 unchanged"), "{quiet}");
}

#[test]
fn a_fault_that_stays_is_told_and_the_next_run_finishes() {
    let scene = Scene::new("stays");
    scene.apply(0..10, "1").exits(0);
    scene.proxy.set(vec![
        Rule::new("PATCH", "/configmaps/o-11?", broken()).times(1000),
    ]);
    let ran = scene.apply(5..20, "2").exits(2);
    assert!(ran.stderr.contains("configmap/o-11"), "{ran}");
    assert!(ran.stderr.contains("nothing was pruned"), "{ran}");
    // The others went on, and nothing of the set was lost.
    let there = scene.names();
    assert_eq!(there, &names(0..20) - &names(11..12), "{ran}");
    scene.proxy.set(Vec::new());
    scene.apply(5..20, "2").exits(0);
    assert_eq!(scene.names(), names(5..20));
}
