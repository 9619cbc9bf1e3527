//! Promises broken on purpose: kdrill says so, and why.

use e2e::{Namespace, Shared, images};
use serde_json::{Value, json};

use super::{broken, deploy, drill, reports_are_whole};

#[test]
fn pinned_replicas_without_room_for_more_break_what_needs_either() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "pinned");
    deploy(&shared, &namespace, |deployment| {
        deployment["spec"]["template"]["spec"]["nodeSelector"] =
            json!({ "kubernetes.io/hostname": "server" });
    });
    let quota = ["create", "quota", "full", "--hard=pods=3"];
    change(&shared, &namespace, &quota);
    let report = tempfile::tempdir().unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let drills = ["replicas", "scale", "rollout", "node-add", "pod-kill"];
    let flags = [
        ["--image-digest", &other],
        ["--image-next", "localhost/hostname-server:none"],
        ["--node-add", "true"],
        ["--max-recovery", "pod-kill=1ms"],
        ["--timeout", "6s"],
    ];
    drill(
        &shared,
        &namespace,
        report.path(),
        &[&drills[..], &flags.concat()].concat(),
    )
    .exits(1);
    let timeline = reports_are_whole(report.path());
    let found = broken(&timeline, "replicas");
    let [(_, spread), (image, ran)] = &found[..] else {
        panic!("{found:?}")
    };
    assert!(spread.contains("server 3"), "{found:?}");
    assert!(image.contains("the image that was built"), "{found:?}");
    assert!(ran.contains("web-deployment-"), "{found:?}");
    for (drill, promise) in [
        ("scale", "4 replicas are Ready and serving"),
        ("rollout", "every replica runs the next version"),
        ("node-add", "a new node is Ready"),
    ] {
        let found = broken(&timeline, drill);
        let not_reached = (promise.to_owned(), "not reached".to_owned());
        assert!(found.contains(&not_reached), "{drill}: {found:?}");
    }
    let found = broken(&timeline, "pod-kill");
    assert!(found[0].0.contains("without the killed one"), "{found:?}");
}

#[test]
fn a_service_that_selects_nothing_is_refused_with_both_sides_labels() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "selector");
    deploy(&shared, &namespace, |_| {});
    let patch = r#"{"spec":{"selector":{"app":"wbe"}}}"#;
    change(
        &shared,
        &namespace,
        &["patch", "service", "python-service", "-p", patch],
    );
    let report = tempfile::tempdir().unwrap();
    drill(&shared, &namespace, report.path(), &["balance"])
        .fails_naming(2, &["app=wbe", "app=web"]);
}

/// One deployment for promises that break without each other's help.
#[test]
fn sticky_clients_a_missing_budget_unowned_fields_and_refused_deletions_break_theirs() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "broken");
    let text = deploy(&shared, &namespace, |_| {});

    // All of one client's connections go to one replica.
    let sticky = r#"{"spec":{"sessionAffinity":"ClientIP"}}"#;
    change(
        &shared,
        &namespace,
        &["patch", "service", "python-service", "-p", sticky],
    );
    // Nothing guards the replicas against being evicted all at once.
    change(&shared, &namespace, &["delete", "pdb", "web-deployment"]);
    // What is changed by hand is somebody else's, and not in the manifests.
    let replicas = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web-deployment"}, "spec": {"replicas": 3}});
    shared
        .kubectl(
            &[
                "apply",
                "--server-side",
                "--field-manager=scaler",
                "-n",
                &namespace.name,
                "-f",
                "-",
            ],
            &replicas.to_string(),
        )
        .exits(0);
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("stack.json");
    let mut list: Value = serde_json::from_str(&text).unwrap();
    let objects = list["items"].as_array_mut().unwrap();
    objects.retain(|object| object["kind"] == "Deployment");
    objects[0]["spec"]
        .as_object_mut()
        .unwrap()
        .remove("replicas");
    std::fs::write(&manifests, list.to_string()).unwrap();
    shared
        .kapply(&["apply", "-f", manifests.to_str().unwrap()], "")
        .exits(0);
    let _policy = Policy::refusing_deletions(&shared, &namespace);

    let drills = ["balance", "drain", "drift", "prune"];
    let flags = [
        "--manifests",
        manifests.to_str().unwrap(),
        "--max-p99",
        "drain=1us",
    ];
    drill(
        &shared,
        &namespace,
        folder.path(),
        &[&drills[..], &flags].concat(),
    )
    .exits(1);
    let timeline = reports_are_whole(folder.path());
    let share = broken(&timeline, "balance");
    assert!(share[0].0.contains("half its fair share"), "{share:?}");
    let drain = broken(&timeline, "drain");
    assert!(drain[0].1.contains("none does"), "{drain:?}");
    let late = drain.iter().any(|(promise, _)| promise.contains("in time"));
    assert!(late, "{drain:?}");
    let drift = broken(&timeline, "drift");
    assert!(
        drift[0].0.contains("kapply shows the change") && drift[0].1 == "nothing",
        "{drift:?}"
    );
    let prune = broken(&timeline, "prune");
    assert!(prune[0].1.contains("kdrill-prune-gone"), "{prune:?}");
    assert!(prune[0].1.contains("no deletions here"), "{prune:?}");
}

/// Without its probe a version that serves nobody counts as Ready, and replaces those that serve.
#[test]
fn a_missing_probe_lets_a_broken_version_take_over() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "probe");
    deploy(&shared, &namespace, |deployment| {
        let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
        let container = container.as_object_mut().unwrap();
        container.remove("readinessProbe");
        container.remove("livenessProbe");
    });
    let report = tempfile::tempdir().unwrap();
    let deaf = images::deaf(&shared);
    let words = ["bad-rollout", "--image-broken", &deaf];
    drill(&shared, &namespace, report.path(), &words).exits(1);
    let rollout = broken(&reports_are_whole(report.path()), "bad-rollout");
    assert!(
        rollout[0]
            .1
            .contains("nothing told it that the version does not serve"),
        "{rollout:?}"
    );
    assert!(rollout[1].0.contains("keep serving"), "{rollout:?}");
    assert!(rollout[2].1.contains("connect-refused"), "{rollout:?}");
}

pub(crate) fn change(shared: &Shared, namespace: &Namespace, words: &[&str]) {
    shared
        .kubectl(&[words, &["-n", &namespace.name]].concat(), "")
        .exits(0);
}

/// What the policy lets pass.
const LET_PASS: &str = "!(oldObject.metadata.name == 'canary' || \
     (oldObject.metadata.name.endsWith('-gone') && has(request.options.preconditions)))";

/// An admission policy of the cluster, for one namespace; gone when dropped.
struct Policy {
    name: String,
    shared: Shared,
}

impl Policy {
    /// What kapply prunes of the namespace's `ConfigMap`s may not be deleted: it names the version
    /// that it means, which kdrill's own tidying does not.
    fn refusing_deletions(shared: &Shared, namespace: &Namespace) -> Self {
        let name = format!("keep-{}", namespace.name);
        let policy = json!({"apiVersion": "v1", "kind": "List", "items": [
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicy",
                "metadata": {"name": name},
                "spec": {
                    "matchConstraints": {"resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"],
                        "resources": ["configmaps"], "operations": ["DELETE"],
                    }]},
                    "validations": [{"expression": LET_PASS, "message": "no deletions here"}],
                },
            },
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": {"name": name},
                "spec": {
                    "policyName": name, "validationActions": ["Deny"],
                    "matchResources": {"namespaceSelector": {"matchLabels": {
                        "kubernetes.io/metadata.name": namespace.name,
                    }}},
                },
            },
        ]});
        shared
            .kubectl(&["apply", "-f", "-"], &policy.to_string())
            .exits(0);
        let policy = Self {
            name,
            shared: shared.clone(),
        };
        // It takes the API server a moment to heed a policy.
        change(shared, namespace, &["create", "configmap", "canary"]);
        Shared::eventually(
            "the policy refuses",
            std::time::Duration::from_secs(30),
            || {
                let words = ["delete", "configmap", "canary", "--dry-run=server", "-n"];
                let asked = shared.kubectl(&[&words[..], &[&namespace.name]].concat(), "");
                (asked.code != Some(0)).then_some(())
            },
        );
        policy
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        for kind in [
            "validatingadmissionpolicybinding",
            "validatingadmissionpolicy",
        ] {
            let ran = self.shared.kubectl(&["delete", kind, &self.name], "");
            if ran.code != Some(0) {
                eprintln!("{ran}");
            }
        }
    }
}
