//! Timeouts and goals of single objects.

use std::{process::Stdio, time::Duration};

use e2e::Shared;
use serde_json::json;

use super::{Place, list};

#[test]
fn a_timeout_says_what_was_missing() {
    let place = Place::new("late");
    let probe =
        json!({"readinessProbe": {"httpGet": {"path": "/nope", "port": 5000}, "periodSeconds": 1}});
    let unready = place.deployment("web", &probe);
    let waited = place.apply(&[unready], &["--timeout", "8s"]);
    let text = waited.ran.to_string();
    assert_eq!(waited.ran.code, Some(4), "{text}");
    assert!(waited.took >= Duration::from_secs(8), "{text}");
    assert!(waited.took < Duration::from_secs(20), "{text}");
    for word in [
        "timed out after 8s",
        "0 of 1 replicas available",
        "Readiness probe failed: HTTP probe failed with statuscode: 404",
        "what to do: check the path and port of its probe",
    ] {
        assert!(
            waited.ran.stderr.contains(word),
            "no word of {word:?}: {text}"
        );
    }
    assert_eq!(waited.of("Deployment")["timedOut"], true);
}

#[test]
fn an_object_may_have_a_timeout_of_its_own() {
    let place = Place::new("own");
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/nope", "port": 5000}}});
    let good = place.deployment("good", &json!({}));
    let mut slow = place.deployment("slow", &probe);
    let flags = ["--timeout", "3m", "--timeout-for", "deployment/slow=5s"];
    let waited = place.apply(&[good.clone(), slow.clone()], &flags);
    assert_eq!(waited.ran.code, Some(4), "{}", waited.ran);
    assert!(waited.took < Duration::from_secs(20), "{}", waited.ran);
    assert!(
        waited.ran.stderr.contains("timed out after 5s"),
        "{}",
        waited.ran
    );
    slow["metadata"]["annotations"] = json!({"kapply.dev/timeout": "2s"});
    let waited = place.apply(&[good, slow], &["--timeout", "3m"]);
    assert!(
        waited.ran.stderr.contains("timed out after 2s"),
        "{}",
        waited.ran
    );
}

#[test]
fn flags_that_mean_nothing_change_nothing() {
    let place = Place::new("flags");
    let web = place.deployment("web", &json!({}));
    let waited = place.apply(
        std::slice::from_ref(&web),
        &["--wait-for", "widget/a=condition:Ready"],
    );
    waited
        .ran
        .fails_naming(2, &["--wait-for widget/a", "no object"]);
    let words = [
        "apply",
        "-n",
        &place.namespace.name,
        "-f",
        "-",
        "--wait-for",
        "deployment/web=condition:Available",
    ];
    let ran = place.shared.kapply(&words, &list(&[web]));
    ran.fails_naming(2, &["--wait-for", "add --wait"]);
    let all = place
        .shared
        .get_json(&["-n", &place.namespace.name, "deployments"]);
    assert_eq!(all["items"], json!([]));
}

/// A definition that is gone when the test is over.
struct Definition<'shared>(&'shared Shared, String);

impl Drop for Definition<'_> {
    fn drop(&mut self) {
        self.0
            .kubectl(&["delete", "crd", &self.1, "--wait=false"], "");
    }
}

#[test]
fn goals_decide_where_the_kind_says_nothing() {
    let place = Place::new("goal");
    let group = format!("w{}.example.com", std::process::id());
    let definition = Definition(&place.shared, format!("widgets.{group}"));
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.1},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema}}]}});
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "a"}, "spec": {}});
    let objects = [crd, widget];
    // Without a goal it is ready as soon as it exists.
    place.apply(&objects, &["--timeout", "30s"]).gets_ready();
    let goal = "widget/a=condition:Serving|jsonpath:{.status.phase}=Active";
    let waited = place.apply(&objects, &["--timeout", "2s", "--wait-for", goal]);
    assert_eq!(waited.ran.code, Some(4), "{}", waited.ran);
    assert!(
        waited
            .ran
            .stderr
            .contains("there is no condition Serving yet"),
        "{}",
        waited.ran
    );
    for status in [
        json!({"phase": "Active"}),
        json!({"phase": "Idle", "observedGeneration": "a-string",
            "conditions": [{"type": "Serving", "status": "True"}]}),
    ] {
        place.kubectl(
            &[
                "patch",
                &definition.1,
                "a",
                "--subresource=status",
                "--type=merge",
                "-p",
                r#"{"status":null}"#,
            ],
            "",
        );
        let words = [
            "wait",
            "-n",
            &place.namespace.name,
            "-f",
            "-",
            "--timeout",
            "60s",
            "--wait-for",
            goal,
        ];
        let mut command = place.shared.kapply_command(&words);
        let waiting = std::thread::spawn({
            let input = list(&objects);
            move || e2e::run(command.stderr(Stdio::piped()), &input)
        });
        let patch = json!({"status": status}).to_string();
        place.kubectl(
            &[
                "patch",
                &definition.1,
                "a",
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ],
            "",
        );
        waiting.join().unwrap().exits(0);
    }
    // What was Active is another one now, and its controller has not said a word of it.
    let seen = r#"{"status": {"observedGeneration": 1, "phase": "Active"}}"#;
    let patch = ["patch", &definition.1, "a", "--subresource=status"];
    place.kubectl(&[&patch[..], &["--type=merge", "-p", seen]].concat(), "");
    let [crd, mut widget] = objects;
    widget["spec"] = json!({"size": 2});
    let waited = place.apply(&[crd, widget], &["--timeout", "2s", "--wait-for", goal]);
    assert_eq!(waited.ran.code, Some(4), "{}", waited.ran);
    assert!(
        waited.ran.stderr.contains("has not seen the change yet"),
        "{}",
        waited.ran
    );
}
