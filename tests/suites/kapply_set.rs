//! Sets: what kapply and kubectl make of each other's, what is pruned and what
//! is not, and that no run, however it ends, loses a member.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use e2e::{Namespace, Ran, Shared};
use serde_json::Value;

/// `ConfigMaps` of these names, in the default namespace of the command.
fn maps(names: &[&str]) -> String {
    let mut input = String::new();
    for name in names {
        writeln!(
            input,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{by: {name}}}"
        )
        .unwrap();
    }
    input
}

/// Applies an input as the set `shop` and prunes.
fn apply(shared: &Shared, namespace: &str, more: &[&str], input: &str) -> Ran {
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        namespace,
        "--applyset",
        "shop",
        "--prune",
    ];
    shared.kapply(&[&words, more].concat(), input)
}

/// The same with kubectl.
fn kubectl_apply(shared: &Shared, namespace: &str, more: &[&str], input: &str) -> Ran {
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        namespace,
        "--applyset=shop",
        "--prune",
    ];
    shared.kubectl(&[&words, more].concat(), input)
}

/// The objects of a kind that a command like `kubectl get` finds, without the
/// one that every namespace has.
fn names(shared: &Shared, words: &[&str]) -> BTreeSet<String> {
    let list = shared.get_json(words);
    let items = list["items"].as_array().unwrap();
    let names = items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name != "kube-root-ca.crt").collect()
}

fn config_maps(shared: &Shared, namespace: &str) -> BTreeSet<String> {
    names(shared, &["configmaps", "-n", namespace])
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn annotation(shared: &Shared, namespace: &str, name: &str) -> Value {
    let parent = shared.get_json(&["secret", "shop", "-n", namespace]);
    parent["metadata"]["annotations"][format!("applyset.kubernetes.io/{name}")].clone()
}

/// The members as kapply counts them.
fn members(shared: &Shared, namespace: &str) -> BTreeSet<String> {
    let words = [
        "status",
        "--applyset",
        "shop",
        "-n",
        namespace,
        "-o",
        "json",
    ];
    let ran = shared.kapply(&words, "").exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let objects = document["objects"].as_array().unwrap();
    objects
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn kapply_and_kubectl_take_turns() {
    let shared = Shared::get();
    for kubectl_mode in [&["--server-side"][..], &[]] {
        let namespace = Namespace::create(&shared, &format!("turns{}", kubectl_mode.len()));
        let name = &namespace.name;
        apply(&shared, name, &[], &maps(&["a", "b", "c"])).exits(0);
        // Each refuses the other's set, and touches nothing.
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a"]))
            .fails_naming(1, &["managed by tooling \"kapply\" instead of \"kubectl\""]);
        assert_eq!(config_maps(&shared, name), set(&["a", "b", "c"]));

        let ran = apply(
            &shared,
            name,
            &["--hand-over", "kubectl/v1.35.4"],
            &maps(&["a", "b"]),
        )
        .exits(0);
        assert!(
            ran.stderr.contains("belongs to kubectl/v1.35.4 now"),
            "{ran}"
        );
        assert_eq!(annotation(&shared, name, "tooling"), "kubectl/v1.35.4");
        apply(&shared, name, &[], &maps(&["a"]))
            .fails_naming(5, &["belongs to kubectl/v1.35.4", "--adopt"]);
        assert_eq!(config_maps(&shared, name), set(&["a", "b"]));

        // kubectl prunes what kapply applied, and kapply what kubectl applied.
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a", "d"])).exits(0);
        assert_eq!(config_maps(&shared, name), set(&["a", "d"]));
        assert_eq!(members(&shared, name), set(&["a", "d"]));
        let ran = apply(&shared, name, &["--adopt"], &maps(&["a", "e"])).exits(0);
        assert!(
            ran.stderr.contains("it has 2 members") && ran.stderr.contains("configmap/d"),
            "{ran}"
        );
        assert_eq!(config_maps(&shared, name), set(&["a", "e"]));
        assert_eq!(members(&shared, name), set(&["a", "e"]));
        let version = format!("kapply/v{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(annotation(&shared, name, "tooling"), version);
        assert_eq!(
            annotation(&shared, name, "contains-group-kinds"),
            "ConfigMap"
        );
        kubectl_apply(&shared, name, kubectl_mode, &maps(&["a"]))
            .fails_naming(1, &["managed by tooling \"kapply\""]);
    }
}

#[test]
fn a_run_that_is_killed_loses_no_member() {
    let shared = Shared::get();
    let (one, two) = (
        Namespace::create(&shared, "killed1"),
        Namespace::create(&shared, "killed2"),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.yaml");
    // Another kind and another namespace than the set has had.
    let mut new = maps(&["base"]);
    for number in 0..30 {
        let namespace = &two.name;
        writeln!(new, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: s{number}, namespace: {namespace}}}").unwrap();
    }
    std::fs::write(&path, new).unwrap();
    let words = [
        "apply",
        "-f",
        path.to_str().unwrap(),
        "-n",
        &one.name,
        "--applyset",
        "shop",
        "--prune",
    ];
    let accounts = || {
        let mut found = names(&shared, &["serviceaccounts", "-n", &two.name]);
        found.remove("default");
        found.len()
    };
    let mut partial = 0;
    for delay in (10..130).step_by(8) {
        apply(&shared, &one.name, &[], &maps(&["base"])).exits(0);
        assert_eq!(annotation(&shared, &one.name, "additional-namespaces"), "");
        shared.kapply_killed(&words, Duration::from_millis(delay));
        partial += usize::from((1..30).contains(&accounts()));
        // The old input again: whatever was made has to go.
        apply(
            &shared,
            &one.name,
            &["--allow-prune=most"],
            &maps(&["base"]),
        )
        .exits(0);
        assert_eq!(accounts(), 0, "killed after {delay} ms");
        assert_eq!(
            annotation(&shared, &one.name, "contains-group-kinds"),
            "ConfigMap"
        );
    }
    assert!(partial > 0, "no run was killed in the midst of its work");
}

#[test]
fn a_prune_that_is_killed_is_finished_by_the_next_run() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "pruning");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.yaml");
    std::fs::write(&path, maps(&["m0"])).unwrap();
    let all: Vec<String> = (0..60).map(|number| format!("m{number}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let words = [
        "apply",
        "-f",
        path.to_str().unwrap(),
        "-n",
        &namespace.name,
        "--applyset",
        "shop",
        "--prune",
        "--allow-prune=most",
    ];
    for delay in (20..120).step_by(20) {
        apply(&shared, &namespace.name, &[], &maps(&all)).exits(0);
        shared.kapply_killed(&words, Duration::from_millis(delay));
        shared.kapply(&words, "").exits(0);
        assert_eq!(
            config_maps(&shared, &namespace.name),
            set(&["m0"]),
            "killed after {delay} ms"
        );
    }
}

#[test]
fn only_what_belongs_to_the_set_goes() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "foreign");
    let name = &namespace.name;
    apply(&shared, name, &[], &maps(&["a", "b", "kept"])).exits(0);
    shared
        .kubectl(&["create", "-n", name, "-f", "-"], &maps(&["bystander"]))
        .exits(0);
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        "other",
        "--prune",
    ];
    shared.kapply(&words, &maps(&["theirs"])).exits(0);
    shared
        .kubectl(
            &[
                "annotate",
                "configmap",
                "kept",
                "-n",
                name,
                "kapply.dev/prune=disabled",
            ],
            "",
        )
        .exits(0);
    // A controller that copies labels from an object to what it makes for it.
    let owner = shared.get_json(&["configmap", "a", "-n", name]);
    let (uid, id) = (
        &owner["metadata"]["uid"],
        &owner["metadata"]["labels"]["applyset.kubernetes.io/part-of"],
    );
    let child = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: child\n  labels: {{applyset.kubernetes.io/part-of: {id}}}\n  ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: a, uid: {uid}, controller: true}}]\n"
    );
    shared
        .kubectl(&["create", "-n", name, "-f", "-"], &child)
        .exits(0);

    let ran = apply(&shared, name, &[], &maps(&["a"])).exits(0);
    assert!(
        ran.stdout.contains("configmap/child kept") && ran.stdout.contains("ConfigMap a made it"),
        "{ran}"
    );
    assert!(
        ran.stdout.contains("configmap/kept kept")
            && ran.stdout.contains("kapply.dev/prune: disabled"),
        "{ran}"
    );
    assert_eq!(
        config_maps(&shared, name),
        set(&["a", "bystander", "child", "kept", "theirs"])
    );
    // What is kept is still a member, so it goes once nothing keeps it.
    shared
        .kubectl(
            &[
                "annotate",
                "configmap",
                "kept",
                "-n",
                name,
                "kapply.dev/prune-",
            ],
            "",
        )
        .exits(0);
    apply(&shared, name, &[], &maps(&["a"])).exits(0);
    assert_eq!(
        config_maps(&shared, name),
        set(&["a", "bystander", "child", "theirs"])
    );
}

#[test]
fn a_dry_run_says_it_all_and_changes_nothing() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "dry");
    let name = &namespace.name;
    let ran = apply(&shared, name, &["--dry-run"], &maps(&["a"])).exits(0);
    assert!(ran.stdout.contains("configmap/a created"), "{ran}");
    assert_eq!(names(&shared, &["secrets", "-n", name]), set(&[]));
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let before = shared.get_json(&["secret", "shop", "-n", name]);
    let ran = apply(&shared, name, &["--dry-run"], &maps(&["a"])).exits(0);
    assert!(
        ran.stdout.contains("configmap/b pruned (namespace") && ran.stdout.contains("(dry run)"),
        "{ran}"
    );
    assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
    assert_eq!(shared.get_json(&["secret", "shop", "-n", name]), before);
}

#[test]
fn guards_refuse_before_anything_is_changed() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "guards");
    let name = &namespace.name;
    let pid = std::process::id();
    let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
    let room = format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: room-{pid}}}\n");
    let definition = definition(&format!("guards{pid}.example.com"), "Namespaced", "");
    for (word, extra, kind) in [
        ("pvcs", claim, "persistentvolumeclaim/data"),
        ("namespaces", &room, "namespace/room"),
        (
            "crds",
            &definition,
            "customresourcedefinition.apiextensions.k8s.io/widgets",
        ),
    ] {
        let base = maps(&["a", "b"]);
        apply(&shared, name, &[], &format!("{base}{extra}")).exits(0);
        let flag = format!("--allow-prune={word}");
        let ran = apply(&shared, name, &[], &maps(&["a", "b", "c"]))
            .fails_naming(5, &[kind, &flag, "nothing was changed"]);
        assert!(ran.stdout.is_empty(), "{ran}");
        assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
        let ran = apply(&shared, name, &[&flag], &base).exits(0);
        assert!(
            ran.stdout.contains(kind) && ran.stdout.contains("pruned"),
            "{ran}"
        );
    }
    // More than half, and everything.
    apply(&shared, name, &[], &maps(&["d"]))
        .fails_naming(5, &["2 of the set's 2 members", "--allow-prune=most"]);
    apply(&shared, name, &[], "# nothing\n")
        .fails_naming(5, &["the input has no object", "--allow-prune=all"]);
    apply(&shared, name, &["--allow-prune=most"], "").fails_naming(5, &["the input has no object"]);
    assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
    apply(&shared, name, &["--allow-prune=most"], &maps(&["d"])).exits(0);
    assert_eq!(config_maps(&shared, name), set(&["d"]));
    apply(&shared, name, &["--allow-prune=all"], "# nothing\n").exits(0);
    assert_eq!(config_maps(&shared, name), set(&[]));
    assert_eq!(annotation(&shared, name, "contains-group-kinds"), "");
}

/// A CRD `widgets.GROUP` with these labels.
fn definition(group: &str, scope: &str, labels: &str) -> String {
    format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}, labels: {{{labels}}}}}
spec:
  group: {group}
  scope: {scope}
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

#[test]
fn a_kind_whose_definition_is_gone_leaves_the_set() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "gone");
    let name = &namespace.name;
    let group = format!("gone{}.example.com", std::process::id());
    shared
        .kubectl(
            &["create", "-f", "-"],
            &definition(&group, "Namespaced", ""),
        )
        .exits(0);
    let definition = format!("crd/widgets.{group}");
    shared
        .kubectl(&["wait", "--for=condition=Established", &definition], "")
        .exits(0);
    let widget = format!("---\napiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w}}\n");
    apply(&shared, name, &[], &format!("{}{widget}", maps(&["a"]))).exits(0);
    assert_eq!(
        annotation(&shared, name, "contains-group-kinds"),
        format!("ConfigMap,Widget.{group}")
    );
    shared.kubectl(&["delete", &definition], "").exits(0);
    let ran = apply(&shared, name, &[], &maps(&["a"])).exits(0);
    assert!(
        ran.stderr
            .contains(&format!("the definition of Widget.{group} is gone")),
        "{ran}"
    );
    assert_eq!(
        annotation(&shared, name, "contains-group-kinds"),
        "ConfigMap"
    );
}

#[test]
fn a_set_of_several_namespaces_with_its_own_among_its_objects() {
    let shared = Shared::get();
    let pid = std::process::id();
    let (home, other) = (format!("home-{pid}"), format!("annex-{pid}"));
    let mut input = String::new();
    for name in [&home, &other] {
        write!(
            input,
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
        )
        .unwrap();
    }
    let elsewhere = format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: far, namespace: {other}}}\n"
    );
    let full = format!("{input}{}{elsewhere}", maps(&["near"]));
    // The parent's namespace is made first, because the parent comes before everything else.
    let ran = apply(&shared, &home, &[], &full).exits(0);
    assert!(
        ran.stdout.contains("made just now, for the set's parent"),
        "{ran}"
    );
    assert_eq!(
        annotation(&shared, &home, "additional-namespaces"),
        other.as_str()
    );
    assert_eq!(
        annotation(&shared, &home, "contains-group-kinds"),
        "ConfigMap,Namespace"
    );
    apply(&shared, &home, &[], &format!("{input}{}", maps(&["near"]))).exits(0);
    assert_eq!(config_maps(&shared, &other), set(&[]));
    assert_eq!(annotation(&shared, &home, "additional-namespaces"), "");
    // The parent's own namespace is not pruned, whatever is allowed.
    let ran = apply(&shared, &home, &["--allow-prune=all"], &maps(&["near"])).exits(0);
    assert!(
        ran.stdout.contains(&format!(
            "namespace/{home} kept: the set's own parent lives in it"
        )),
        "{ran}"
    );
    assert!(
        ran.stdout.contains(&format!("namespace/{other} pruned")),
        "{ran}"
    );
    let words = ["delete", "--applyset", "shop", "-n", &home];
    shared.kapply(&words, "").fails_naming(
        5,
        &[&format!("namespace/{home}"), "--allow-prune=namespaces"],
    );
    shared
        .kapply(&[&words[..], &["--allow-prune=namespaces"]].concat(), "")
        .exits(0);
    shared
        .kubectl(&["get", "namespace", &home], "")
        .fails_naming(1, &["not found"]);
}

#[test]
fn an_object_of_another_set_is_refused_until_it_is_taken_over() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "overlap");
    let name = &namespace.name;
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let changed = maps(&["b"]).replace("by: b", "by: other");
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        "configmap/second",
        "--prune",
    ];
    shared.kapply(&words, &changed).fails_naming(
        5,
        &[
            "stdin:",
            "configmap/b belongs to the set of secret/shop",
            "--adopt=objects",
        ],
    );
    let plain = ["apply", "-f", "-", "-n", name];
    shared.kapply(&plain, &changed).fails_naming(
        5,
        &[
            "configmap/b belongs to the set of secret/shop",
            "--applyset",
        ],
    );
    assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
    shared
        .kapply(&[&words[..], &["--adopt=objects"]].concat(), &changed)
        .exits(0);
    // The first set has lost it, so it does not prune it.
    apply(&shared, name, &[], &maps(&["a"])).exits(0);
    assert_eq!(config_maps(&shared, name), set(&["a", "b", "second"]));
    // A label in the input is nobody's to write.
    let labelled = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {applyset.kubernetes.io/part-of: x}}\n";
    apply(&shared, name, &[], labelled)
        .fails_naming(2, &["stdin:1", "applyset.kubernetes.io/part-of"]);
}

#[test]
fn parents_are_checked() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "parents");
    let name = &namespace.name;
    let pid = std::process::id();
    // The namespace has to be said, as kubectl wants it.
    shared
        .kapply(
            &["apply", "-f", "-", "--applyset", "shop", "--prune"],
            &maps(&["a"]),
        )
        .fails_naming(2, &["-n"]);
    apply(&shared, &format!("no-such-{pid}"), &[], &maps(&["a"]))
        .fails_naming(2, &["does not exist"]);
    // Somebody's Secret of the same name is not a parent.
    shared
        .kubectl(
            &[
                "create",
                "secret",
                "generic",
                "shop",
                "-n",
                name,
                "--from-literal=k=v",
            ],
            "",
        )
        .exits(0);
    apply(&shared, name, &[], &maps(&["a"]))
        .fails_naming(2, &["secret/shop", "no tool has made it a parent"]);
    shared
        .kubectl(&["delete", "secret", "shop", "-n", name], "")
        .exits(0);
    apply(&shared, name, &[], &maps(&["a"])).exits(0);
    let kinds = "applyset.kubernetes.io/contains-group-kinds-";
    shared
        .kubectl(&["annotate", "secret", "shop", "-n", name, kinds], "")
        .exits(0);
    apply(&shared, name, &[], &maps(&["a"]))
        .fails_naming(2, &["nobody knows which kinds the set holds"]);
    apply(&shared, name, &["--adopt"], &maps(&["a"])).exits(0);
    shared
        .kubectl(
            &[
                "label",
                "secret",
                "shop",
                "-n",
                name,
                "--overwrite",
                "applyset.kubernetes.io/id=x",
            ],
            "",
        )
        .exits(0);
    apply(&shared, name, &[], &maps(&["a"])).fails_naming(2, &["is x, but has to be applyset-"]);
    let deployments = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        "deployments.apps/x",
        "--prune",
    ];
    shared
        .kapply(&deployments, &maps(&["a"]))
        .fails_naming(2, &["a Deployment cannot be the parent of a set"]);
    assert_eq!(config_maps(&shared, name), set(&["a"]));
}

#[test]
fn a_custom_resource_can_be_the_parent() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "custom");
    let name = &namespace.name;
    let group = format!("parents{}.example.com", std::process::id());
    let text = definition(
        &group,
        "Cluster",
        "applyset.kubernetes.io/is-parent-type: \"true\"",
    );
    shared.kubectl(&["create", "-f", "-"], &text).exits(0);
    let definition = format!("crd/widgets.{group}");
    shared
        .kubectl(&["wait", "--for=condition=Established", &definition], "")
        .exits(0);
    let parent = format!("widgets.{group}/shop");
    let words = [
        "apply",
        "-f",
        "-",
        "-n",
        name,
        "--applyset",
        &parent,
        "--prune",
    ];
    shared
        .kapply(&words, &maps(&["a"]))
        .fails_naming(2, &["never made automatically"]);
    let widget = format!("apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: shop}}\n");
    shared.kubectl(&["create", "-f", "-"], &widget).exits(0);
    shared
        .kapply(&words, &maps(&["a"]))
        .fails_naming(2, &["not marked as a parent yet", "--adopt"]);
    // Its own fields stay: only its marks are written.
    shared
        .kapply(&[&words[..], &["--adopt"]].concat(), &maps(&["a", "b"]))
        .exits(0);
    let hand_over = ["--hand-over", "kubectl/v1.35.4"];
    shared
        .kapply(&[&words[..], &hand_over].concat(), &maps(&["a", "b"]))
        .exits(0);
    // A set of the cluster may span namespaces in kubectl, too: it has no -n.
    let far = Namespace::create(&shared, "customfar");
    let flag = format!("--applyset={parent}");
    let input = maps(&["far"]).replace("name: far", &format!("name: far, namespace: {}", far.name));
    let kubectl = ["apply", "-f", "-", "--prune", &flag];
    let ran = shared.kubectl(&kubectl, &input).exits(0);
    assert!(ran.stdout.contains("configmap/a pruned"), "{ran}");
    assert_eq!(
        (config_maps(&shared, name), config_maps(&shared, &far.name)),
        (set(&[]), set(&["far"]))
    );
    let ran = shared
        .kapply(
            &[&words[..], &["--adopt", "--allow-prune=most"]].concat(),
            &maps(&["a"]),
        )
        .exits(0);
    assert!(ran.stdout.contains("configmap/far pruned"), "{ran}");
    let listed = shared.kapply(&["sets", "-n", name], "").exits(0);
    assert!(
        listed.stdout.contains(&format!("widget.{group}/shop")),
        "{listed}"
    );
    shared
        .kapply(&["delete", "--applyset", &parent], "")
        .exits(0);
    assert_eq!(config_maps(&shared, name), set(&[]));
    shared.kubectl(&["delete", &definition], "").exits(0);
}

#[test]
fn a_forbidden_list_prunes_nothing() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "forbidden");
    let name = &namespace.name;
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let rights = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: half}
rules:
- {apiGroups: [''], resources: [configmaps, secrets], verbs: [get, create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: half}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: half}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: half}]
";
    shared
        .kubectl(&["create", "-n", name, "-f", "-"], rights)
        .exits(0);
    let place = format!("configmaps in namespace {name}");
    apply(&shared, name, &["--as", "half"], &maps(&["a"]))
        .fails_naming(2, &["may not list", &place, "nothing was pruned"]);
    assert_eq!(config_maps(&shared, name), set(&["a", "b"]));
}

#[test]
fn status_and_sets_say_what_is_there() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "status");
    let name = &namespace.name;
    apply(&shared, name, &[], &maps(&["a", "b"])).exits(0);
    let status = |more: &[&str], input: &str| {
        let words = ["status", "--applyset", "shop", "-n", name];
        shared.kapply(&[&words, more].concat(), input)
    };
    status(&[], "").exits(0);
    status(&["-f", "-"], &maps(&["a", "b"])).exits(0);
    let ran = status(&["-f", "-"], &maps(&["a", "new"])).exits(1);
    assert!(ran.stdout.contains("configmap/new missing"), "{ran}");
    assert!(
        ran.stdout.contains("configmap/b ready") && ran.stdout.contains("left over"),
        "{ran}"
    );
    shared
        .kubectl(
            &[
                "patch",
                "configmap",
                "a",
                "-n",
                name,
                "-p",
                r#"{"data":{"by":"hand"}}"#,
            ],
            "",
        )
        .exits(0);
    let ran = status(&["-f", "-"], &maps(&["a", "b"])).exits(1);
    assert!(
        ran.stdout
            .contains("overruled: .data.by by \"kubectl-patch\""),
        "{ran}"
    );
    let ran = shared
        .kapply(&["sets", "-n", name, "-o", "json"], "")
        .exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["sets"].as_array().unwrap().len(), 1);
    assert_eq!(document["sets"][0]["members"], 2);
    assert_eq!(document["sets"][0]["parent"]["name"], "shop");
    let nothing = ["status", "--applyset", "nothing", "-n", name];
    shared
        .kapply(&nothing, "")
        .fails_naming(2, &["there is no such set"]);
}
