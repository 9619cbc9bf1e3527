//! What is not pruned, and what refuses a run before it changes anything.

use e2e::{Namespace, Shared};

use super::{annotation, apply, config_maps, definition, maps, set};

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
