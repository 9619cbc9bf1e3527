//! Connections that are cut, API servers that do not answer for a while, and
//! users who have seen enough.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use e2e::{Proxy, Shared};
use serde_json::{Value, json};

use super::{Place, list};

/// A kubeconfig that reaches the API server through the proxy.
fn through(shared: &Shared) -> (Proxy, tempfile::NamedTempFile) {
    let view = shared
        .kubectl(&["config", "view", "--raw", "-o", "json"], "")
        .exits(0);
    let mut config: Value = serde_json::from_str(&view.stdout).unwrap();
    let server = &mut config["clusters"][0]["cluster"]["server"];
    let proxy = Proxy::to(server.as_str().unwrap().trim_start_matches("https://"));
    *server = format!("https://{}", proxy.address).into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();
    (proxy, file)
}

#[test]
fn cut_connections_lose_nothing() {
    let place = Place::new("cut");
    let (proxy, kubeconfig) = through(&place.shared);
    let slow = place.deployment("slow", &Value::Null);
    let words = [
        "apply",
        "--kubeconfig",
        kubeconfig.path().to_str().unwrap(),
        "-n",
        &place.namespace.name,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "90s",
    ];
    // Not ready before the test says so, however slow the machine is.
    let mut slower = slow.clone();
    slower["spec"]["minReadySeconds"] = 300.into();
    place.kubectl(&["create", "-f", "-"], &slower.to_string());
    let mut command = place.shared.kapply_command(&words);
    let input = list(&[slow]);
    let waiting = thread::spawn(move || e2e::run(&mut command, &input));
    // From the first contact on, cuts are another story: it is tried for half a second only.
    let ours = ["deployment", "slow", "--show-managed-fields", "-n"];
    let ours = [&ours[..], &[place.namespace.name.as_str()]].concat();
    Shared::eventually("the apply", Duration::from_secs(20), || {
        let managers = place.shared.get_json(&ours)["metadata"]["managedFields"].clone();
        let applied = |entry: &Value| entry["operation"] == "Apply";
        managers.as_array()?.iter().any(applied).then_some(())
    });
    let before = proxy.accepted();
    for _ in 0..3 {
        let so_far = proxy.accepted();
        proxy.cut();
        Shared::eventually("a new connection", Duration::from_secs(20), || {
            (proxy.accepted() > so_far).then_some(())
        });
    }
    // An API server that restarts: nothing answers until it was asked twice.
    proxy.close();
    Shared::eventually("more than one try", Duration::from_secs(20), || {
        (proxy.refused() > 1).then_some(())
    });
    proxy.open();
    let soon = r#"{"spec": {"minReadySeconds": 0}}"#;
    place.kubectl(&["patch", "deployment", "slow", "--patch", soon], "");
    let ran = waiting.join().unwrap().exits(0);
    assert!(
        ran.stdout.contains("deployment.apps/slow (namespace"),
        "{ran}"
    );
    assert!(proxy.accepted() > before, "nothing was cut: {ran}");
}

#[test]
fn a_server_that_never_answers_again_is_a_timeout_with_a_reason() {
    let place = Place::new("gone");
    let (proxy, kubeconfig) = through(&place.shared);
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/nope", "port": 5000}}});
    let unready = place.deployment("web", &probe);
    let words = [
        "apply",
        "--kubeconfig",
        kubeconfig.path().to_str().unwrap(),
        "-n",
        &place.namespace.name,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "12s",
    ];
    let mut command = place.shared.kapply_command(&words);
    let input = list(&[unready]);
    let waiting = thread::spawn(move || e2e::run(&mut command, &input));
    Shared::eventually("the deployment", Duration::from_secs(20), || {
        let all = place
            .shared
            .get_json(&["-n", &place.namespace.name, "pods"]);
        (all["items"] != json!([])).then_some(())
    });
    proxy.close();
    let ran = waiting.join().unwrap().exits(4);
    assert!(ran.stderr.contains("timed out after 12s"), "{ran}");
}

#[test]
fn an_interrupt_says_what_is_ready_and_what_is_not() {
    let place = Place::new("break");
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/nope", "port": 5000}}});
    let objects = [
        place.deployment("good", &Value::Null),
        place.deployment("slow", &probe),
    ];
    place.kubectl(&["apply", "-f", "-"], &list(&objects[..1]));
    place.kubectl(
        &["rollout", "status", "deployment/good", "--timeout=90s"],
        "",
    );
    let words = [
        "apply",
        "-n",
        &place.namespace.name,
        "-f",
        "-",
        "--wait",
        "--force-conflicts",
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list(&objects)).unwrap();
    let child = place
        .shared
        .kapply_command(&words)
        .stdin(std::fs::File::open(file.path()).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Shared::eventually("the pods", Duration::from_mins(1), || {
        let all = place.shared.get_json(&[
            "-n",
            &place.namespace.name,
            "deployment",
            "slow",
            "--ignore-not-found",
        ]);
        (all["status"]["updatedReplicas"] == 1).then_some(())
    });
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(130), "{stdout}\n{stderr}");
    assert!(
        stdout.contains("deployment.apps/good (namespace"),
        "{stdout}\n{stderr}"
    );
    for word in [
        "not ready yet",
        "deployment.apps/slow",
        "1 of 2 objects ready",
    ] {
        assert!(stderr.contains(word), "no word of {word:?}: {stderr}");
    }
}
