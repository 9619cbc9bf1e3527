//! The flags of sets and deletions, as far as no cluster is needed to judge them.

use assert_cmd::Command;
use predicates::str::contains;

fn kapply(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("kapply")
        .unwrap()
        .env("KUBECONFIG", "/nonexistent")
        .args(arguments)
        .write_stdin("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        .assert()
}

#[test]
fn flags_that_make_no_sense_alone_are_refused() {
    for (arguments, word) in [
        (&["apply", "-f", "-", "--prune"][..], "--applyset"),
        (
            &["apply", "-f", "-", "--applyset", "s", "--allow-prune=all"],
            "--prune",
        ),
        (
            &[
                "apply",
                "-f",
                "-",
                "--applyset",
                "s",
                "--hand-over",
                "kubectl",
            ],
            "--prune",
        ),
        (
            &[
                "apply",
                "-f",
                "-",
                "--applyset",
                "s",
                "--prune",
                "--allow-prune=everything",
            ],
            "namespaces",
        ),
        (
            &["apply", "-f", "-", "--applyset", "a/b/c"],
            "RESOURCE[.GROUP]/NAME",
        ),
        (&["delete"], "--filename"),
        (&["delete", "-f", "-", "--applyset", "s"], "--applyset"),
        (&["delete", "-k", ".", "--applyset", "s"], "--applyset"),
        (&["delete", "-f", "-", "--orphan"], "cannot be used with"),
        (&["delete", "-f", "-", "--wait=maybe"], "maybe"),
        (&["status"], "--filename"),
    ] {
        kapply(arguments).code(2).stderr(contains(word));
    }
}

#[test]
fn a_version_for_the_next_tool_is_needed_before_anything_is_asked() {
    kapply(&[
        "apply",
        "-f",
        "-",
        "--applyset",
        "s",
        "--prune",
        "--hand-over",
        "sometool",
    ])
    .code(2)
    .stderr(contains("give it as sometool/VERSION"));
}

#[test]
fn help_says_what_the_guards_are() {
    for command in ["apply", "plan", "diff"] {
        kapply(&[command, "--help"])
            .success()
            .stdout(contains("--allow-prune"))
            .stdout(contains("--adopt"));
    }
    for command in ["delete", "sets", "status"] {
        kapply(&[command, "--help"])
            .success()
            .stdout(contains("Examples:"));
    }
}
