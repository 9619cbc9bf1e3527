//! The load from a pod of the cluster: the same requests, the same account of each.

use std::time::Duration;

use e2e::{Namespace, Shared, images, tool};
use serde_json::Value;

use super::{deploy, drill, reports_are_whole};

#[test]
fn a_job_accounts_for_every_request_even_while_its_log_breaks_off() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "job");
    deploy(&shared, &namespace, |_| {});
    let image = images::kdrill(&shared);
    let klab = format!("{} --name {}", tool("klab").display(), shared.name);
    let restart = format!("{klab} node restart server kube-apiserver");
    let report = tempfile::tempdir().unwrap();
    let drills = ["replicas", "balance", "dns", "control-plane-restart"];
    let flags = ["--load-image", &image, "--control-plane-restart", &restart];
    let words = [&drills[..], &flags].concat();
    drill(&shared, &namespace, report.path(), &words).exits(0);

    let timeline = reports_are_whole(report.path());
    let load = &timeline["load"];
    assert_eq!(load["unaccounted"], 0, "{load}");
    let number = |value: &Value| value.as_u64().unwrap();
    let total = number(&load["total"]["requests"]);
    assert!(total > 1000, "{total}");
    assert_eq!(
        number(&load["fresh"]["requests"]) + number(&load["kept"]["requests"]),
        total
    );
    let intervals = load["intervals"].as_array().unwrap();
    let counted = intervals.iter().flat_map(|interval| {
        let counts = |field: &str| interval[field].as_object().unwrap().values();
        counts("pods").chain(counts("failures"))
    });
    assert_eq!(counted.map(number).sum::<u64>(), total);
    assert_eq!(load["pods"].as_array().unwrap().len(), 3, "{load}");
    no_job_is_left(&shared, &namespace);
}

#[test]
fn an_image_that_is_not_there_or_not_kdrill_is_refused_with_the_reason() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "nojob");
    deploy(&shared, &namespace, |_| {});
    let report = tempfile::tempdir().unwrap();
    let refused = |image: &str, reason: &str| {
        let words = ["balance", "--load-image", image];
        drill(&shared, &namespace, report.path(), &words)
            .fails_naming(2, &["job in", image, reason]);
        no_job_is_left(&shared, &namespace);
    };
    refused("localhost/kdrill:none", "ImagePull");
    refused(&shared.image, "is kdrill the entrypoint of the image?");
}

fn no_job_is_left(shared: &Shared, namespace: &Namespace) {
    Shared::eventually("no job is left", Duration::from_secs(30), || {
        let jobs = shared.get_json(&["jobs", "-n", &namespace.name]);
        jobs["items"].as_array().unwrap().is_empty().then_some(())
    });
}
