//! Bad input is refused with one clear message, and nothing is changed.

use std::fs;

use e2e::{Namespace, Shared, run, tool};

/// A good `ConfigMap`, which must not appear when its neighbour is bad.
const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: good\ndata:\n  a: b\n";

fn is_there(shared: &Shared, namespace: &Namespace) -> bool {
    let found = shared.kubectl(
        &[
            "get",
            "-n",
            &namespace.name,
            "configmap",
            "good",
            "--ignore-not-found",
            "-o",
            "name",
        ],
        "",
    );
    !found.exits(0).stdout.is_empty()
}

fn refused(prefix: &str, bad: &str, words: &[&str]) {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, prefix);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stack.yaml");
    fs::write(&file, format!("{GOOD}---\n{bad}")).unwrap();
    let file = file.to_str().unwrap();
    let words: Vec<_> = words.iter().copied().chain(["stack.yaml"]).collect();
    shared
        .kapply(&["apply", "-n", &namespace.name, "-f", file], "")
        .fails_naming(2, &words);
    assert!(!is_there(&shared, &namespace), "half of it was applied");
}

#[test]
fn a_syntax_error_names_file_and_line() {
    refused(
        "syntax",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n",
        &["stack.yaml:"],
    );
}

#[test]
fn an_unknown_kind_names_the_object() {
    refused(
        "kind",
        "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n",
        &["Widget", "stack.yaml:8"],
    );
}

#[test]
fn an_unknown_field_is_refused_before_anything_is_sent() {
    let bad = "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\nspec:\n  prots: []\n";
    refused("field", bad, &["prots", "stack.yaml:8"]);
}

#[test]
fn an_invalid_update_is_told_in_the_servers_words_and_nothing_changes() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "invalid");
    let service = |port: u32| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\nspec:\n  ports: [{{port: {port}}}]\n"
        )
    };
    let words = ["apply", "-n", &namespace.name, "-f", "-"];
    shared.kapply(&words, &service(80)).exits(0);
    shared
        .kapply(&words, &format!("{GOOD}---\n{}", service(99999)))
        .fails_naming(2, &["99999", "stdin:8"]);
    assert!(!is_there(&shared, &namespace), "half of it was applied");
}

#[test]
fn all_errors_are_reported_not_only_the_first() {
    let bad = "apiVersion: a.example/v1\nkind: One\nmetadata: {name: one}\n---\napiVersion: b.example/v1\nkind: Two\nmetadata: {name: two}\n";
    refused("both", bad, &["One", "Two"]);
}

#[test]
fn a_missing_file_is_named() {
    let shared = Shared::get();
    shared
        .kapply(&["apply", "-f", "/nonexistent/stack.yaml"], "")
        .fails_naming(2, &["/nonexistent/stack.yaml"]);
}

#[test]
fn an_unreachable_api_server_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    // Nobody listens on port 1.
    let config = r#"{"apiVersion":"v1","kind":"Config","current-context":"x",
        "clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],
        "users":[{"name":"x","user":{"token":"planted-token"}}],
        "contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}]}"#;
    fs::write(&kubeconfig, config).unwrap();
    let mut kapply = std::process::Command::new(tool("kapply"));
    let ran = run(
        kapply
            .args(["apply", "-f", "-"])
            .env("KUBECONFIG", &kubeconfig),
        GOOD,
    );
    let ran = ran.fails_naming(2, &["127.0.0.1:1"]);
    assert!(!ran.stderr.contains("planted-token"), "{ran}");
}

#[test]
fn a_wrong_image_digest_is_refused() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "digest");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    image: web\n";
    let input = format!("{GOOD}---\n{pod}");
    let words = [
        "apply",
        "-n",
        &namespace.name,
        "-f",
        "-",
        "--image",
        "web=hostname-server@sha256:123",
    ];
    shared
        .kapply(&words, &input)
        .fails_naming(2, &["sha256:123"]);
    assert!(!is_there(&shared, &namespace));
}

#[test]
fn an_image_name_that_no_container_has_is_refused() {
    let shared = Shared::get();
    shared
        .kapply(&["apply", "-f", "-", "--image", "nobody=web:1"], GOOD)
        .fails_naming(2, &["nobody"]);
}

#[test]
fn a_damaged_archive_is_refused_and_no_node_gets_it() {
    let shared = Shared::get();
    let mut bytes = fs::read(&shared.archive).unwrap();
    // Somewhere in the middle: a byte of the layer.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.tar");
    fs::write(&damaged, bytes).unwrap();
    let damaged = damaged.to_str().unwrap();
    shared
        .klab(&["load", damaged])
        .fails_naming(1, &["damaged.tar", "sha256:"]);
    let mut ocipack = std::process::Command::new(tool("ocipack"));
    let ran = run(ocipack.args(["verify", damaged]), "").exits(1);
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains("sha256:"),
        "{ran}"
    );
}

#[test]
fn no_archive_at_all_is_refused() {
    let shared = Shared::get();
    shared
        .klab(&["load", "/nonexistent.tar"])
        .fails_naming(1, &["/nonexistent.tar"]);
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.tar");
    fs::write(&text, "not a tar").unwrap();
    shared
        .klab(&["load", text.to_str().unwrap()])
        .fails_naming(1, &["notes.tar"]);
}
