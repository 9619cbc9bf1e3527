//! klab's own life: what it starts, what it leaves, what it says.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use e2e::{Ran, Shared, run, tool};
use serde_json::Value;
use xtask::machine::Inventory;

/// A cluster of this test's own; gone when dropped, whatever happened.
struct Own(String);

impl Own {
    fn new(suffix: &str) -> Self {
        // The run removes clusters of this pattern whose process is gone.
        Self(format!("e2e-{}{suffix}", std::process::id()))
    }

    fn klab(&self, words: &[&str]) -> Ran {
        run(
            Command::new(tool("klab"))
                .args(["--name", &self.0])
                .args(words),
            "",
        )
    }

    /// The hardware address that `server` has its gateway at.
    fn gateway(&self) -> String {
        let table = self.klab(&["exec", "server", "--", "cat", "/proc/net/arp"]);
        let table = table.exits(0).stdout;
        let mut lines = table.lines().map(str::split_whitespace);
        let mut line = lines
            .find(|line| line.clone().next() == Some("172.30.0.1"))
            .unwrap_or_else(|| panic!("no gateway in {table}"));
        line.nth(3).expect("the fourth column").to_owned()
    }

    /// The runtime's kubectl, with the administrator's access.
    fn kubectl(&self) -> Command {
        let said = |words: &[&str]| self.klab(words).exits(0).stdout.trim().to_owned();
        let mut kubectl = Command::new(format!("{}/kubectl", said(&["runtime", "path"])));
        kubectl.env("KUBECONFIG", said(&["kubeconfig", "--path"]));
        kubectl
    }

    /// The machine, with what there is of this cluster.
    fn machine(&self) -> Inventory {
        Inventory::take(&|name| name == self.0).unwrap()
    }

    fn leaves_nothing(&self, before: &Inventory, after: &str) {
        let changes = before.changes_to(&self.machine());
        assert!(changes.is_empty(), "{after}: {}", changes.join("\n"));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let ran = self.klab(&["down"]);
        if ran.code != Some(0) {
            eprintln!("{ran}");
        }
    }
}

#[test]
fn down_leaves_nothing_and_up_changed_nothing() {
    let own = Own::new("life");
    let before = own.machine();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    let during = before.changes_to(&own.machine());
    for kind in ["process", "namespace", "cgroup", "file"] {
        let left = format!("left behind: {kind} ");
        assert!(
            during.iter().any(|change| change.starts_with(&left)),
            "no {kind} in {during:?}"
        );
    }
    let changed = during.iter().find(|change| change.starts_with("gone: "));
    assert_eq!(changed, None, "up changed the machine's own");
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "down");
}

#[test]
fn a_second_up_says_what_exists() {
    let own = Own::new("twice");
    own.klab(&["up", "--control-plane-only"]).exits(0);
    own.klab(&["up"])
        .fails_naming(1, &[&own.0, "exists already", "server", "down"]);
    own.klab(&["status"]).exits(0);
}

#[test]
fn what_cannot_be_started_is_refused_and_leaves_nothing() {
    let own = Own::new("bad");
    let before = own.machine();
    let refused = |words: &[&str], code: i32, named: &[&str]| {
        let ran = own.klab(&[&["up"], words].concat());
        ran.fails_naming(code, named);
        own.leaves_nothing(&before, &words.join(" "));
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(
        &["--api-port", &port],
        1,
        &["127.0.0.1", &port, "another program"],
    );
    refused(&["--registry", "--control-plane-only"], 2, &["--registry"]);
    refused(&["--servers", "2"], 2, &["1, 3 or 5"]);
    refused(&["--servers", "3", "--nodes", "2"], 1, &["--nodes 2"]);
    let argument = ["--kubelet-arg", "frobnicate=1"];
    refused(
        &argument,
        1,
        &["--kubelet-arg", "frobnicate", "nothing was started"],
    );
    let argument = ["--apiserver-arg", "frobnicate=1"];
    refused(&argument, 1, &["--apiserver-arg", "frobnicate"]);
}

#[test]
fn a_full_disk_is_one_message_and_leaves_nothing() {
    let own = Own::new("full");
    let before = own.machine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=400k", "tmpfs", path];
    run(Command::new("mount").args(mount), "").exits(0);
    let ran = own.klab(&["--state", path, "up", "--nodes", "1"]);
    let left = std::fs::read_dir(path).unwrap().count();
    run(Command::new("umount").arg(path), "").exits(0);
    ran.fails_naming(1, &["No space left on device"]);
    assert_eq!(left, 0);
    own.leaves_nothing(&before, "a full disk");
}

/// Any of three servers may be lost, and each of their components restarted.
#[test]
fn three_servers_survive_the_loss_of_any() {
    let own = Own::new("quorum");
    own.klab(&["up", "--control-plane-only", "--servers", "3"])
        .exits(0);
    let kubectl = |words: &[&str]| {
        let mut kubectl = own.kubectl();
        run(kubectl.args(words).arg("--request-timeout=30s"), "")
    };
    for (turn, server) in ["server", "server2", "server3"].into_iter().enumerate() {
        own.klab(&["node", "stop", server]).exits(0);
        let name = format!("without-{server}");
        Shared::eventually(
            "a write with one server lost",
            Duration::from_secs(30),
            || {
                // A connection that was open to the lost server fails, once.
                let ran = kubectl(&["create", "configmap", &name]);
                let there = ran.stderr.contains("AlreadyExists");
                (ran.code == Some(0) || there).then_some(())
            },
        );
        own.klab(&["node", "start", server]).exits(0);
        let listed = kubectl(&["get", "configmaps", "-o", "name"])
            .exits(0)
            .stdout;
        assert_eq!(listed.matches("without-").count(), turn + 1, "{listed}");
        // The next one may go once this one counts again.
        Shared::eventually("a server that answers", Duration::from_mins(1), || {
            let ready = "--server=https://127.0.0.1:6443 --kubeconfig=/var/lib/klab/scheduler.kubeconfig get --raw=/readyz";
            let words = ["exec", server, "--", "kubectl"];
            let ran = own.klab(&[&words[..], &ready.split(' ').collect::<Vec<_>>()].concat());
            (ran.stdout == "ok").then_some(())
        });
    }
    let scheduler = || {
        let machine = own.machine();
        let pids = machine
            .processes()
            .filter(|pid| kind(pid) == "kube-scheduler");
        pids.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let before = scheduler();
    own.klab(&["node", "restart", "server2", "kube-scheduler"])
        .exits(0);
    assert_eq!(
        before.intersection(&scheduler()).count(),
        2,
        "one is another"
    );
    own.klab(&["node", "restart", "server2", "kubelet"])
        .fails_naming(1, &["server2", "kubelet", "kube-scheduler"]);
}

/// What pods of a real cluster rely on: a registry, names, addresses, volumes.
#[test]
fn pods_have_a_registry_names_addresses_and_volumes() {
    let own = Own::new("pods");
    own.klab(&["up", "--nodes", "2", "--registry"]).exits(0);
    let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let registry = status["registry"].as_str().unwrap();
    let archive = Shared::get().archive;
    let mut push = Command::new(tool("ocipack"));
    push.arg("push")
        .arg(archive)
        .arg(format!("{registry}/a/web:1"));
    let digest = run(&mut push, "").exits(0).stdout;
    let image = format!("{registry}/a/web@{}", digest.trim());

    let stack = format!(
        r#"{{"apiVersion":"v1","kind":"List","items":[
{{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{{"name":"data"}},"spec":{{
  "accessModes":["ReadWriteOnce"],"resources":{{"requests":{{"storage":"1Mi"}}}}}}}},
{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web","labels":{{"app":"web"}}}},"spec":{{
  "nodeName":null,"nodeSelector":{{"kubernetes.io/hostname":"agent1"}},
  "containers":[{{"name":"web","image":"{image}","volumeMounts":[{{"name":"data","mountPath":"/data"}}]}}],
  "volumes":[{{"name":"data","persistentVolumeClaim":{{"claimName":"data"}}}}]}}}},
{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"web"}},"spec":{{
  "type":"LoadBalancer","selector":{{"app":"web"}},"ports":[{{"port":8000,"targetPort":5000}}]}}}},
{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"dns","namespace":"kube-system"}},"spec":{{
  "type":"LoadBalancer","selector":{{"k8s-app":"kube-dns"}},"ports":[{{"port":53}}]}}}}]}}"#
    );
    let kubectl = |words: &[&str]| run(own.kubectl().args(words), "").exits(0).stdout;
    run(own.kubectl().args(["apply", "-f", "-"]), &stack).exits(0);
    kubectl(&["wait", "pod/web", "--for=condition=Ready", "--timeout=90s"]);
    let id = kubectl(&[
        "get",
        "pod",
        "web",
        "-o",
        "jsonpath={.status.containerStatuses[0].imageID}",
    ]);
    assert_eq!(id, image, "what runs is what was pushed");

    let address = |namespace: &str, service: &str| -> Ipv4Addr {
        let path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
        let words = ["get", "service", "-n", namespace, service, "-o", path];
        Shared::eventually("an address", Duration::from_secs(30), || {
            kubectl(&words).parse().ok()
        })
    };
    let page = Shared::eventually("an answer", Duration::from_secs(30), || {
        let mut server = TcpStream::connect((address("default", "web"), 8000)).ok()?;
        server
            .write_all(
                b"GET / HTTP/1.0

",
            )
            .ok()?;
        let mut page = String::new();
        server.read_to_string(&mut page).ok()?;
        page.starts_with("HTTP/1.").then_some(page)
    });
    assert!(page.contains("web"), "the pod's name: {page}");

    let cluster_ip = kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    let name_server = address("kube-system", "dns");
    let found = Shared::eventually("a name", Duration::from_secs(30), || {
        resolve(name_server, "web.default.svc.cluster.local")
    });
    assert_eq!(found.to_string(), cluster_ip);
    assert_eq!(
        resolve(name_server, "nobody.default.svc.cluster.local"),
        None
    );

    let volumes = format!("/var/lib/klab/{}/nodes/agent1/lib/klab-volumes", own.0);
    assert_eq!(std::fs::read_dir(&volumes).unwrap().count(), 1);
    kubectl(&["delete", "pod/web", "pvc/data", "--grace-period=1"]);
    Shared::eventually("a volume that is gone", Duration::from_secs(30), || {
        (std::fs::read_dir(&volumes).unwrap().count() == 0).then_some(())
    });
}

/// Asks a name server by TCP for the address of a name (RFC 1035).
fn resolve(server: Ipv4Addr, name: &str) -> Option<Ipv4Addr> {
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let mut stream = TcpStream::connect((server, 53)).ok()?;
    let length = u16::try_from(query.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &query].concat()).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).ok()?;
    // The number of answers; the last four bytes of the only one are the address.
    (answer[6..8] == [0, 1])
        .then(|| answer.last_chunk::<4>().copied().map(Ipv4Addr::from))
        .flatten()
}

/// The machine's own services are as far away as those of another machine.
#[test]
fn nodes_and_pods_do_not_reach_the_machine_and_nobody_reaches_the_api_from_outside() {
    let shared = Shared::get();
    // What listens everywhere is found at every address of the machine.
    let service = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let mut machine = vec!["127.0.0.1".to_owned(), "172.30.0.1".to_owned()];
    let own = run(Command::new("hostname").arg("-I"), "").exits(0).stdout;
    machine.extend(
        own.split_whitespace()
            .filter(|one| one.contains('.'))
            .map(str::to_owned),
    );
    for address in &machine {
        // A pod's way out is its node's network, which is where this runs.
        let connect = format!("exec 3<>/dev/tcp/{address}/{port}");
        let ran = shared.klab(&[
            "exec", "agent1", "--", "timeout", "2", "bash", "-c", &connect,
        ]);
        assert_ne!(ran.code, Some(0), "{address} was reached from a node");
    }
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let api = status["server"].as_str().unwrap();
    let port: u16 = api.rsplit(':').next().unwrap().parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    for address in &machine[2..] {
        let reached = TcpStream::connect((address.as_str(), port));
        assert!(reached.is_err(), "the API server listens on {address}");
    }
}

#[test]
fn two_clusters_run_side_by_side() {
    let (one, two) = (Own::new("one"), Own::new("two"));
    one.klab(&["up", "--control-plane-only"]).exits(0);
    two.klab(&["up", "--control-plane-only"]).exits(0);
    let server = |own: &Own| {
        let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["apiReady"], true);
        status["server"].as_str().unwrap().to_owned()
    };
    assert_ne!(server(&one), server(&two));
    one.klab(&["down"]).exits(0);
    assert_eq!(server(&two), server(&two));
}

/// What a cluster runs for as long as it is up.
const LASTING: [&str; 11] = [
    "klab internal switch",
    "klab internal cloud",
    "coredns",
    "klab internal init",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
];

/// Every kind of process is killed once, alone, and `down` comes after.
#[test]
fn down_leaves_nothing_after_any_process_was_killed() {
    let own = Own::new("kill");
    let before = own.machine();
    own.klab(&["up", "--nodes", "2"]).exits(0);
    // What else is caught in the act, as plugins and helpers, counts too.
    let mut kinds: BTreeSet<String> = own.machine().processes().map(kind).collect();
    own.klab(&["down"]).exits(0);
    kinds.extend(LASTING.map(str::to_owned));
    for wanted in kinds {
        // A cluster without pods is up in a fraction of the time.
        let needs_pods = wanted == "coredns" || !LASTING.contains(&wanted.as_str());
        let no_pods: &[&str] = if needs_pods { &[] } else { &["--no-dns"] };
        own.klab(&[&["up", "--nodes", "2"], no_pods].concat())
            .exits(0);
        let during = own.machine();
        let victim = during.processes().find(|pid| kind(pid) == wanted);
        let killed = victim.is_some_and(|pid| {
            let mut kill = Command::new("kill");
            kill.args(["-9", pid]).status().unwrap().success()
        });
        assert!(
            killed || !LASTING.contains(&wanted.as_str()),
            "there is no {wanted}"
        );
        own.klab(&["down"]).exits(0);
        own.leaves_nothing(&before, &format!("{wanted} was killed"));
    }
}

/// A process's program and klab's role, without what differs from run to run.
fn kind(pid: &str) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let program = words[0].rsplit('/').next().unwrap_or_default().to_owned();
    if program == "klab" {
        format!("{program} {} {}", words[1], words[2])
    } else {
        program
    }
}

#[test]
fn down_leaves_nothing_after_up_itself_was_killed() {
    let own = Own::new("cut");
    let before = own.machine();
    let mut up = Command::new(tool("klab"))
        .args(["--name", &own.0, "up", "--nodes", "2"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let itself = up.id().to_string();
    Shared::eventually("a first process of up", Duration::from_secs(30), || {
        own.machine()
            .processes()
            .any(|pid| pid != itself)
            .then_some(())
    });
    up.kill().unwrap();
    up.wait().unwrap();
    own.klab(&["status"])
        .fails_naming(1, &["unfinished", "down"]);
    own.klab(&["down"]).exits(0);
    own.leaves_nothing(&before, "up was killed");
}

#[test]
fn a_node_comes_back_and_a_removed_one_is_forgotten() {
    let own = Own::new("nodes");
    own.klab(&["up", "--nodes", "1"]).exits(0);
    let added = own.klab(&["node", "add"]).exits(0);
    assert_eq!(added.stdout, "agent1\n");
    own.klab(&["node", "stop", "agent1"]).exits(0);
    own.klab(&["node", "stop", "agent1"])
        .fails_naming(1, &["agent1", "stopped already"]);
    own.klab(&["exec", "agent1", "--", "true"])
        .fails_naming(1, &["agent1", "node start agent1"]);
    own.klab(&["node", "partition", "agent1"])
        .fails_naming(1, &["agent1", "stopped", "node start agent1"]);
    let gateway = own.gateway();
    // The switch's own: one of a port would be right by chance.
    assert_eq!(gateway, "02:6b:6c:61:62:ff");
    own.klab(&["node", "start", "agent1"]).exits(0);
    assert_eq!(gateway, own.gateway(), "the others have lost their way out");
    let said = own.klab(&["exec", "agent1", "--", "hostname"]).exits(0);
    assert_eq!(said.stdout, "agent1\n");
    own.klab(&["node", "rm", "server"])
        .fails_naming(1, &["control plane"]);
    own.klab(&["node", "rm", "agent1"]).exits(0);
    let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
    assert!(!status.contains("agent1"), "{status}");
}

#[test]
fn a_partitioned_node_goes_on_alone_until_it_heals() {
    let own = Own::new("part");
    own.klab(&["up", "--nodes", "2"]).exits(0);
    let agent = || {
        let status = own.klab(&["status", "-o", "json"]).exits(0).stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        status["nodes"][1].clone()
    };
    let reached = |from: &str, address: &str| {
        let connect = format!("exec 3<>/dev/tcp/{address}");
        own.klab(&["exec", from, "--", "timeout", "2", "bash", "-c", &connect])
            .code
            == Some(0)
    };
    assert!(reached("agent1", "172.30.0.10/6443"));
    assert!(reached("server", "172.30.0.11/10250"));
    // Twice is once.
    for _ in 0..2 {
        own.klab(&["node", "partition", "agent1"]).exits(0);
        own.klab(&["status"]).exits(0);
        assert_eq!(agent()["connected"], false);
    }
    assert!(!reached("agent1", "172.30.0.10/6443"));
    assert!(!reached("server", "172.30.0.11/10250"));
    assert!(reached("agent1", "127.0.0.1/10250"), "its kubelet goes on");
    Shared::eventually("a node that is missed", Duration::from_secs(30), || {
        (agent()["ready"] == false).then_some(())
    });
    let running = agent()["running"].clone();
    assert_eq!(running, true);
    own.klab(&["node", "heal", "agent1"]).exits(0);
    assert_eq!(agent()["ready"], true);
    assert!(reached("server", "172.30.0.11/10250"));
    own.klab(&["node", "slow", "agent1", "--rate", "10mbit"])
        .exits(0);
    let disciplines = ["exec", "agent1", "--", "tc", "qdisc", "show", "dev", "eth0"];
    let shown = own.klab(&disciplines).exits(0).stdout;
    assert!(shown.contains("tbf") && shown.contains("10Mbit"), "{shown}");
    own.klab(&["node", "slow", "agent1", "--rate", "fast"])
        .fails_naming(1, &["tc", "fast"]);
    own.klab(&["node", "heal", "agent1"]).exits(0);
    let shown = own.klab(&disciplines).exits(0).stdout;
    assert!(!shown.contains("tbf"), "{shown}");
    assert_eq!(agent()["connected"], true);
}

#[test]
fn the_doctor_finds_that_clusters_can_start_here() {
    let own = Own::new("doctor");
    let before = own.machine();
    let said = own.klab(&["doctor", "-o", "json"]).exits(0).stdout;
    let findings: Value = serde_json::from_str(&said).unwrap();
    for finding in findings.as_array().unwrap() {
        assert_eq!(
            finding["fix"].is_null(),
            finding["verdict"] == "ok",
            "{finding}"
        );
    }
    own.leaves_nothing(&before, "doctor");
    // Without nft on the PATH, kube-proxy could do nothing.
    let mut without = Command::new(tool("klab"));
    without.arg("doctor").env("PATH", "/nonexistent");
    let ran = run(&mut without, "").exits(1);
    assert!(ran.stdout.contains("apt-get install nftables"), "{ran}");
}

#[test]
fn credentials_are_private_and_nobody_is_anonymous() {
    use std::os::unix::fs::MetadataExt;
    let shared = Shared::get();
    let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0).stdout;
    let mode = std::fs::metadata(kubeconfig.trim()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let status = shared.klab(&["status", "-o", "json"]).exits(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let address = status["server"]
        .as_str()
        .unwrap()
        .trim_start_matches("https://");
    let mut nobody = Command::new("openssl");
    nobody.args(["s_client", "-quiet", "-connect", address]);
    let ran = run(&mut nobody, "GET /api HTTP/1.0\r\n\r\n");
    assert!(ran.stdout.starts_with("HTTP/1.0 401 Unauthorized"), "{ran}");
}
