//! Parents: what they may be, what they say, and where their sets reach.

use std::fmt::Write as _;

use e2e::{Namespace, Shared};

use super::{annotation, apply, config_maps, definition, maps, set};

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
