//! What an apply does to objects that are not as it expects them: others own
//! fields, kubectl was there before, somebody is faster.

#[path = "kapply_apply/immutable.rs"]
mod immutable;
#[path = "kapply_apply/left_over.rs"]
mod left_over;
#[path = "kapply_apply/policy.rs"]
mod policy;
#[path = "kapply_apply/printed.rs"]
mod printed;
#[path = "kapply_apply/versions.rs"]
mod versions;

use e2e::{Namespace, Ran, Shared};
use serde_json::{Value, json};

/// A namespace of a test, and kapply and kubectl in it.
struct Place {
    shared: Shared,
    namespace: Namespace,
}

impl Place {
    fn new(prefix: &str) -> Self {
        let shared = Shared::get();
        let namespace = Namespace::create(&shared, prefix);
        Self { shared, namespace }
    }

    fn apply(&self, objects: &[Value], flags: &[&str]) -> Ran {
        let words = [&["apply", "-n", &self.namespace.name, "-f", "-"], flags].concat();
        self.shared.kapply(&words, &list(objects))
    }

    fn kubectl(&self, words: &[&str], input: &str) -> Ran {
        let words = [&["-n", &self.namespace.name], words].concat();
        self.shared.kubectl(&words, input).exits(0)
    }

    fn get(&self, words: &[&str]) -> Value {
        self.shared
            .get_json(&[&["-n", &self.namespace.name], words].concat())
    }
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn config(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn deployment(replicas: i64, label: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": label}},
        "template": {"metadata": {"labels": {"app": label}}, "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "none.invalid/none:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}}})
}

#[test]
fn a_conflict_says_whose_field_it_is_and_changes_nothing() {
    let place = Place::new("conflict");
    let objects = [
        config("a", &json!({"k": "1"})),
        config("b", &json!({"k": "1"})),
    ];
    place.apply(&objects, &[]).exits(0);
    place.kubectl(
        &[
            "patch",
            "configmap",
            "b",
            "--type=merge",
            "--field-manager=somebody",
            "-p",
            r#"{"data":{"k":"theirs"}}"#,
        ],
        "",
    );
    let changed = [
        config("a", &json!({"k": "2"})),
        config("b", &json!({"k": "2"})),
    ];
    let ran = place.apply(&changed, &[]).exits(3);
    for words in [
        ".data.k  is owned by \"somebody\" (Update, last at ",
        ": \"theirs\" there, \"2\" here",
        "--force-conflicts-with=somebody",
    ] {
        assert!(ran.stderr.contains(words), "{ran}");
    }
    assert_eq!(
        place.get(&["configmap", "a"])["data"]["k"],
        "1",
        "nothing may change"
    );

    // Forced from somebody who is not in conflict: no.
    place
        .apply(&changed, &["--force-conflicts-with", "nobody"])
        .exits(3);
    // A dry run with force changes nothing either.
    place
        .apply(&changed, &["--force-conflicts", "--dry-run"])
        .exits(0);
    assert_eq!(place.get(&["configmap", "b"])["data"]["k"], "theirs");
    place
        .apply(&changed, &["--force-conflicts-with", "somebody"])
        .exits(0);
    assert_eq!(place.get(&["configmap", "b"])["data"]["k"], "2");
    assert_eq!(place.get(&["configmap", "a"])["data"]["k"], "2");
}

#[test]
fn who_writes_under_kapplys_name_is_told_apart() {
    let place = Place::new("namesake");
    let object = config("c", &json!({"k": "ours"}));
    place.apply(std::slice::from_ref(&object), &[]).exits(0);
    let patch = [
        "patch",
        "configmap",
        "c",
        "--type=merge",
        "--field-manager=kapply",
    ];
    place.kubectl(
        &[&patch[..], &["-p", r#"{"data":{"k":"theirs"}}"#]].concat(),
        "",
    );
    let ran = place.apply(&[object], &[]).exits(3);
    for words in [
        "owned by \"kapply\" (Update",
        "\"theirs\" there, \"ours\" here",
        "is the name that this is applied under",
    ] {
        assert!(ran.stderr.contains(words), "no word of {words:?}: {ran}");
    }
    // The way out that it names.
    let theirs = config("c", &json!({"k": "theirs"}));
    place.apply(&[theirs], &[]).exits(0);
}

#[test]
fn an_autoscaler_gets_advice_of_its_own() {
    let place = Place::new("autoscaled");
    place.apply(&[deployment(1, "web")], &[]).exits(0);
    place.kubectl(
        &[
            "patch",
            "deployment",
            "web",
            "--subresource=scale",
            "--type=merge",
            "--field-manager=vpa-like",
            "-p",
            r#"{"spec":{"replicas":4}}"#,
        ],
        "",
    );
    let ran = place.apply(&[deployment(2, "web")], &[]).exits(3);
    assert!(
        ran.stderr
            .contains("an autoscaler decides about .spec.replicas, so remove it from the manifest"),
        "{ran}"
    );
}

#[test]
fn what_kubectl_applied_client_side_is_taken_over() {
    let place = Place::new("takeover");
    let before = config("c", &json!({"keep": "1", "drop": "1"}));
    place.kubectl(&["apply", "-f", "-"], &before.to_string());
    place.kubectl(
        &[
            "patch",
            "configmap",
            "c",
            "--type=merge",
            "--field-manager=other",
            "-p",
            r#"{"data":{"others":"1"}}"#,
        ],
        "",
    );
    let ran = place
        .apply(&[config("c", &json!({"keep": "2"}))], &[])
        .exits(0);
    assert!(
        ran.stdout.contains("takes over what kubectl applied"),
        "{ran}"
    );
    let now = place.get(&["configmap", "c"]);
    assert_eq!(now["data"], json!({"keep": "2", "others": "1"}));
    assert_eq!(now["metadata"].get("annotations"), None, "{now}");
    let again = place
        .apply(&[config("c", &json!({"keep": "2"}))], &[])
        .exits(0);
    assert!(again.stdout.contains("1 unchanged"), "{again}");
}

#[test]
fn an_object_on_its_way_out_is_not_applied() {
    let place = Place::new("leaving");
    let mut object = config("c", &json!({"k": "1"}));
    object["metadata"]["finalizers"] = json!(["example.com/held"]);
    place.apply(std::slice::from_ref(&object), &[]).exits(0);
    place.kubectl(&["delete", "configmap", "c", "--wait=false"], "");
    let ran = place.apply(std::slice::from_ref(&object), &[]).exits(2);
    assert!(
        ran.stderr
            .contains("being deleted and kept by the finalizers example.com/held"),
        "{ran}"
    );
    place.kubectl(
        &[
            "patch",
            "configmap",
            "c",
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
        ],
        "",
    );
}

#[test]
fn a_missing_namespace_is_noticed_before_anything_is_sent() {
    let place = Place::new("absent");
    let mut elsewhere = config("c", &json!({}));
    elsewhere["metadata"]["namespace"] = "no-such-namespace".into();
    let ran = place
        .apply(&[config("here", &json!({})), elsewhere], &[])
        .exits(2);
    assert!(
        ran.stderr
            .contains("namespace no-such-namespace does not exist"),
        "{ran}"
    );
    let maps = place.get(&["configmaps", "--field-selector=metadata.name=here"]);
    assert_eq!(maps["items"], json!([]));
}

#[test]
fn one_that_fails_does_not_keep_the_others_back() {
    let place = Place::new("others");
    // The schema allows this name, the server does not.
    let ran = place
        .apply(
            &[config("Not_A_Name", &json!({})), config("good", &json!({}))],
            &[],
        )
        .exits(2);
    assert!(ran.stdout.contains("configmap/good created"), "{ran}");
    assert!(ran.stderr.contains("configmap/Not_A_Name"), "{ran}");
    place.get(&["configmap", "good"]);
}

#[test]
fn waves_are_sent_in_order_and_can_be_chosen() {
    let place = Place::new("waves");
    let wave = |name: &str, wave: &str| {
        let mut object = config(name, &json!({}));
        object["metadata"]["annotations"] = json!({"kapply.dev/wave": wave});
        object
    };
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}});
    let ran = place
        .apply(
            &[
                wave("last", "99"),
                wave("after-service", "35"),
                service,
                config("usual", &json!({})),
                wave("first", "-5"),
            ],
            &[],
        )
        .exits(0);
    let order: Vec<_> = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once(" created")?.0.split_once('/'))
        .map(|(_, name)| name)
        .collect();
    assert_eq!(
        order,
        ["first", "usual", "s", "after-service", "last"],
        "{ran}"
    );

    let ran = place.apply(&[wave("odd", "soon")], &[]);
    ran.fails_naming(2, &["stdin:1", "kapply.dev/wave", "soon"]);
}

#[test]
fn unchanged_costs_no_request_per_object() {
    let place = Place::new("quiet");
    let objects: Vec<_> = (0..50)
        .map(|n| config(&format!("c{n}"), &json!({"n": n.to_string()})))
        .collect();
    place.apply(&objects, &[]).exits(0);
    let ran = place.apply(&objects, &["-v"]).exits(0);
    assert!(ran.stdout.contains("50 objects: 50 unchanged"), "{ran}");
    let requests = ran.stderr.matches("request method=").count();
    // Discovery (2), the index of schemas, one list.
    assert!(requests <= 4, "{requests} requests\n{ran}");
    assert!(!ran.stderr.contains("method=PATCH"), "{ran}");
}
