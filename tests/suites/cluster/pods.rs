//! What pods of a real cluster rely on.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::Duration,
};

use e2e::{Shared, run, tool};

use super::Own;

/// What pods of a real cluster rely on: a registry, names, addresses, volumes.
#[test]
fn pods_have_a_registry_names_addresses_and_volumes() {
    let own = Own::new("pods");
    own.klab(&["up", "--nodes", "2", "--registry"]).exits(0);
    let status = own.status();
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
