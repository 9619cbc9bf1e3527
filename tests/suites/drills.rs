//! The drills pass on a healthy stack, and fail for the right reason on a broken one.

#[path = "drills/broken.rs"]
mod broken;
#[path = "drills/job.rs"]
mod job;
#[path = "drills/kept.rs"]
mod kept;
#[path = "drills/nameless.rs"]
mod nameless;
#[path = "drills/outages.rs"]
mod outages;

use std::path::Path;

use e2e::{Namespace, Ran, Shared};
use serde_json::{Value, json};

/// Where the stack's manifests are.
const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");

/// The stack's objects as they are deployed, and changed by a test.
fn rendered(shared: &Shared, namespace: &Namespace, change: impl Fn(&mut Value)) -> String {
    let image = format!("hostname-server={}", shared.image);
    let words = [
        "render",
        "-f",
        MANIFESTS,
        "-n",
        &namespace.name,
        "--image",
        &image,
        "-o",
        "json",
    ];
    let rendered = shared.kapply(&words, "").exits(0).stdout;
    let mut list: Value = serde_json::from_str(&rendered).unwrap();
    let objects = list["items"].as_array_mut().unwrap();
    let deployment = objects
        .iter_mut()
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    // Shorter than the stack's own grace, so that tests wait less for replicas to end.
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "GRACE_SECONDS", "value": "1.5" }]);
    change(deployment);
    list.to_string()
}

fn deploy(shared: &Shared, namespace: &Namespace, change: impl Fn(&mut Value)) -> String {
    let text = rendered(shared, namespace, change);
    shared
        .kapply(&["apply", "-f", "-", "--wait", "--timeout", "2m"], &text)
        .exits(0);
    text
}

fn drill(shared: &Shared, namespace: &Namespace, report: &Path, words: &[&str]) -> Ran {
    let report = report.to_str().unwrap();
    // Little load and short waits: what is proved here is the drills, not the machine.
    shared.kdrill(
        &[
            &["--namespace", &namespace.name, "--report", report][..],
            &["--rate", "200", "--requests", "300", "--steady", "1s"],
            &["--scale-to", "4"],
            words,
        ]
        .concat(),
    )
}

/// The run's timeline, after a look at the files beside it.
fn reports_are_whole(folder: &Path) -> Value {
    let timeline = std::fs::read_to_string(folder.join("timeline.json")).unwrap();
    let html = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(html.trim_end().ends_with("</html>"));
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(
            !html.contains(outside),
            "the report asks for something outside: {outside}"
        );
    }
    let junit = std::fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.trim_end().ends_with("</testsuites>"));
    serde_json::from_str(&timeline).unwrap()
}

/// The promises of a drill that were broken, with what was found.
fn broken(timeline: &Value, drill: &str) -> Vec<(String, String)> {
    let drills = timeline["drills"].as_array().unwrap();
    let drill = drills
        .iter()
        .find(|found| found["name"] == drill)
        .unwrap_or_else(|| panic!("no drill {drill}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    drill["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["held"] == false)
        .map(|check| (text(&check["promise"]), text(&check["measured"])))
        .collect()
}
