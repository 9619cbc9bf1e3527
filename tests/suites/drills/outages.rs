//! Nodes and control planes that are gone longer, or take more along, than was promised.

use e2e::{Namespace, Shared, tool};
use serde_json::json;

use super::{broken, broken::change, deploy, drill, reports_are_whole};

/// Kubernetes' own five minutes on a lost node: longer than anybody waits here.
#[test]
fn replicas_that_tolerate_a_lost_node_are_not_replaced_in_time() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "tolerant");
    deploy(&shared, &namespace, |deployment| {
        let pod = deployment["spec"]["template"]["spec"].as_object_mut();
        pod.unwrap().remove("tolerations");
    });
    let report = tempfile::tempdir().unwrap();
    let words = ["node-loss", "--timeout", "16s"];
    drill(&shared, &namespace, report.path(), &words).exits(1);
    let found = broken(&reports_are_whole(report.path()), "node-loss");
    let (promise, measured) = &found[0];
    assert!(
        promise.contains("Ready on living nodes again") && measured == "not within 16 s",
        "{found:?}"
    );
}

/// Nobody tells these pods to go, and the Service lists them whether they are Ready or not.
#[test]
fn pods_that_stay_on_a_partitioned_node_and_in_the_endpoints_are_named() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "forever");
    deploy(&shared, &namespace, |deployment| {
        deployment["spec"]["template"]["spec"]["tolerations"] = json!([{ "operator": "Exists" }]);
    });
    let listed = r#"{"spec":{"publishNotReadyAddresses":true}}"#;
    change(
        &shared,
        &namespace,
        &["patch", "service", "python-service", "-p", listed],
    );
    let report = tempfile::tempdir().unwrap();
    let words = ["node-partition", "--timeout", "14s"];
    drill(&shared, &namespace, report.path(), &words).exits(1);
    let found = broken(&reports_are_whole(report.path()), "node-partition");
    let measured = |promise: &str| {
        let check = found.iter().find(|(found, _)| found.contains(promise));
        check
            .unwrap_or_else(|| panic!("no {promise}: {found:?}"))
            .1
            .as_str()
    };
    assert!(measured("Ready on living nodes again").contains("not within"));
    assert_eq!(measured("answered again with the node gone"), "not reached");
    let traffic = measured("the pods cut off get no traffic");
    assert!(
        traffic.starts_with("web-deployment-") && traffic.ends_with("still get traffic"),
        "{found:?}"
    );
    assert_eq!(measured("the pods that were cut off end"), "not reached");
}

/// A restart that does not end, one that is too slow, and one that takes the replicas along.
#[test]
fn restarts_that_hang_take_too_long_or_hit_the_replicas_are_told_apart() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "restart");
    deploy(&shared, &namespace, |_| {});
    let found = |command: &str, flags: &[&str]| {
        let report = tempfile::tempdir().unwrap();
        let words = ["control-plane-restart", "--control-plane-restart", command];
        drill(
            &shared,
            &namespace,
            report.path(),
            &[&words[..], flags].concat(),
        )
        .exits(1);
        broken(&reports_are_whole(report.path()), "control-plane-restart")
    };
    let answers = "the API server answers again".to_owned();
    let klab = format!("{} --name {}", tool("klab").display(), shared.name);

    let hanging = found(
        "sleep 12",
        &[
            "--timeout",
            "4s",
            "--max-recovery",
            "control-plane-restart=4s",
        ],
    );
    let still = "the command still runs after 4 s".to_owned();
    assert_eq!(hanging, [(answers.clone(), still)]);

    let slow = found(
        &format!("{klab} node restart server kube-apiserver"),
        &["--max-recovery", "control-plane-restart=1ms"],
    );
    assert_eq!(slow.len(), 1, "{slow:?}");
    assert!(
        slow[0].0 == answers && slow[0].1.starts_with("after "),
        "{slow:?}"
    );

    // Nobody is left when the new ones are asked for: requests fail on every machine.
    let kubectl = shared.kubectl_command(&[]);
    let kubectl = format!("{} -n {}", kubectl.get_program().display(), namespace.name);
    let scale = format!("{kubectl} scale deployment web-deployment --replicas");
    let gone = format!("{kubectl} wait --for=delete pods -l app=web");
    let replace = format!("sh -c '{scale}=0 && {gone} && {scale}=3'");
    let along = found(&replace, &["--timeout", "15s"]);
    let kept = (
        "the same replicas are Ready and serving".to_owned(),
        "not reached".to_owned(),
    );
    assert!(along.contains(&kept), "{along:?}");
    let failed = along
        .iter()
        .find(|(promise, _)| promise == "no request fails");
    assert!(
        failed.is_some_and(|(_, measured)| measured.contains("connect-")),
        "{along:?}"
    );
}

/// The API server answers all the while, but nobody acts on what it is told.
#[test]
fn controllers_that_do_not_come_back_are_noticed() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "idle");
    deploy(&shared, &namespace, |_| {});
    // The kernel knows fifteen letters of a process's name.
    let tell = |signal| {
        [
            "exec",
            "server",
            "--",
            "pkill",
            signal,
            "-x",
            "kube-controller",
        ]
    };
    let klab = tool("klab");
    let stop = format!(
        "{} --name {} {}",
        klab.display(),
        shared.name,
        tell("-STOP").join(" ")
    );
    let report = tempfile::tempdir().unwrap();
    let words = [
        "control-plane-restart",
        "--control-plane-restart",
        &stop,
        "--timeout",
        "4s",
    ];
    let drilled = drill(&shared, &namespace, report.path(), &words);
    shared.klab(&tell("-CONT")).exits(0);
    drilled.exits(1);
    let found = broken(&reports_are_whole(report.path()), "control-plane-restart");
    let idle = (
        "the controllers act again".to_owned(),
        "not reached".to_owned(),
    );
    assert_eq!(found, [idle]);

    let ready = [
        "wait",
        "--for=condition=Ready",
        "nodes",
        "--all",
        "--timeout=60s",
    ];
    shared.kubectl(&ready, "").exits(0);
    let left = shared.get_json(&["deployments", "-n", &namespace.name]);
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
}
