//! Who reaches what, and with which credentials.

use std::{
    net::{TcpListener, TcpStream},
    process::Command,
};

use e2e::{Shared, run};
use serde_json::Value;

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
