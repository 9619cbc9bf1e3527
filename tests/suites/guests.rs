//! Other people's manifests: kapply and klab are not made for one Deployment.

use e2e::{Namespace, Shared};

/// What Pod Security "restricted" asks of a pod and of a container.
const POD: &str = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}";
const CONTAINER: &str =
    "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";

fn workload(kind: &str, name: &str, image: &str, extra: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}, labels: {{app: guestbook, tier: {name}}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{tier: {name}}}}}
{extra}  template:
    metadata: {{labels: {{app: guestbook, tier: {name}}}}}
    spec:
      {POD}
      containers:
      - name: main
        image: {image}
        {CONTAINER}
        readinessProbe: {{httpGet: {{path: /readyz, port: 5000}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {{app: guestbook}}}}
spec: {{selector: {{tier: {name}}}, ports: [{{port: 80, targetPort: 5000}}]}}
---
"
    )
}

#[test]
fn a_guestbook_of_three_tiers() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "guestbook");
    let input: String = ["frontend", "leader", "follower"]
        .iter()
        .map(|name| workload("Deployment", name, &shared.image, ""))
        .collect();
    let words = [
        "apply",
        "-n",
        &namespace.name,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "2m",
    ];
    let ran = shared.kapply(&words, &input).exits(0);
    assert!(ran.stdout.contains("6 objects: 6 created"), "{ran}");
    let list = shared.get_json(&["-n", &namespace.name, "deployments"]);
    for deployment in list["items"].as_array().unwrap() {
        assert_eq!(deployment["status"]["readyReplicas"], 2, "{deployment}");
    }
}

#[test]
fn a_stateful_set_keeps_its_names() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "stateful");
    let input = workload("StatefulSet", "db", &shared.image, "  serviceName: db\n");
    let words = [
        "apply",
        "-n",
        &namespace.name,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "2m",
    ];
    shared.kapply(&words, &input).exits(0);
    let pods = shared.get_json(&["-n", &namespace.name, "pods"]);
    let names: Vec<_> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| pod["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["db-0", "db-1"]);
}

#[test]
fn a_definition_and_its_objects_in_one_input_in_any_order() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "crd");
    let group = format!("g{}.example.com", std::process::id());
    // The object comes first: the order is kapply's business.
    let input = format!(
        "apiVersion: {group}/v1
kind: Widget
metadata: {{name: first}}
spec: {{size: 3}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {{type: object, properties: {{size: {{type: integer}}}}}}
"
    );
    let words = ["apply", "-n", &namespace.name, "-f", "-", "--wait"];
    shared.kapply(&words, &input).exits(0);
    let widget = shared.get_json(&["-n", &namespace.name, &format!("widgets.{group}"), "first"]);
    assert_eq!(widget["spec"]["size"], 3);
    let again = shared.kapply(&words, &input).exits(0);
    assert!(again.stdout.contains("2 objects: 2 unchanged"), "{again}");
    shared
        .kubectl(&["delete", "crd", &format!("widgets.{group}")], "")
        .exits(0);
}

#[test]
fn a_namespace_and_what_is_in_it_in_one_input() {
    let shared = Shared::get();
    let name = format!("made-{}", std::process::id());
    let input = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"c\",\"namespace\":\"{name}\"}}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}
"
    );
    shared.kapply(&["apply", "-f", "-"], &input).exits(0);
    shared.get_json(&["-n", &name, "configmap", "c"]);
    shared
        .kubectl(&["delete", "namespace", &name, "--wait=false"], "")
        .exits(0);
}

#[test]
fn a_field_of_another_manager_is_a_conflict() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "conflict");
    let object = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{color: {value}}}\n"
        )
    };
    let theirs = [
        "apply",
        "--server-side",
        "--field-manager=painter",
        "-n",
        &namespace.name,
        "-f",
        "-",
    ];
    shared.kubectl(&theirs, &object("red")).exits(0);
    let ours = ["apply", "-n", &namespace.name, "-f", "-"];
    shared
        .kapply(&ours, &object("blue"))
        .fails_naming(3, &["painter", "color", "--force-conflicts"]);
    let color =
        || shared.get_json(&["-n", &namespace.name, "configmap", "c"])["data"]["color"].clone();
    assert_eq!(color(), "red");
    shared
        .kapply(
            &[&ours[..], &["--force-conflicts"]].concat(),
            &object("blue"),
        )
        .exits(0);
    assert_eq!(color(), "blue");
}

#[test]
fn a_rollout_that_cannot_succeed_says_why() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "broken");
    let input = workload("Deployment", "broken", "nowhere.invalid/none:1", "");
    let words = [
        "apply",
        "-n",
        &namespace.name,
        "-f",
        "-",
        "--wait",
        "--timeout",
        "90s",
    ];
    let ran = shared.kapply(&words, &input).exits(4);
    assert!(ran.stderr.contains("nowhere.invalid/none:1"), "{ran}");
    assert!(ran.stderr.contains("broken"), "{ran}");
}
