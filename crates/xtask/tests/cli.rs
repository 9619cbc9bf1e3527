//! The command line as a user meets it; `cargo` is a script here, so nothing is built.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use assert_cmd::{Command, cargo::cargo_bin_cmd};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use predicates::{prelude::PredicateBooleanExt, str::contains};

fn xtask() -> Command {
    cargo_bin_cmd!("xtask")
}

fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn help_has_examples_everywhere() {
    for command in [
        &["--help"][..],
        &["setup", "--help"],
        &["image", "--help"],
        &["demo", "--help"],
        &["test", "--help"],
    ] {
        xtask()
            .args(command)
            .assert()
            .success()
            .stdout(contains("Examples:\n  "));
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    xtask()
        .arg("frob")
        .assert()
        .code(2)
        .stderr(contains("unrecognized subcommand 'frob'"));
    xtask()
        .arg("image")
        .assert()
        .code(2)
        .stderr(contains("--out <DIR>"));
    xtask()
        .args(["test", "--no-cluster", "a|b"])
        .assert()
        .code(2)
        .stderr(contains("filter \"a|b\""));
}

#[test]
fn an_existing_cluster_is_not_touched() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("demo")).unwrap();
    let refusal = if nix::unistd::geteuid().is_root() {
        "cluster demo exists already; nothing was started; remove it with: "
    } else {
        "so it needs root; nothing was started; run: sudo -E env \"PATH=$PATH\" cargo xtask demo"
    };
    xtask()
        .arg("demo")
        .env("KLAB_STATE", state.path())
        .assert()
        .code(2)
        .stderr(contains(refusal).and(contains("==>").not()));
}

#[test]
fn without_root_nothing_starts() {
    if !nix::unistd::geteuid().is_root() {
        for command in ["setup", "demo", "test"] {
            xtask()
                .arg(command)
                .assert()
                .code(2)
                .stderr(contains("needs root; nothing was started"));
        }
        return;
    }
    // Root can become somebody else: the program must be where that user may read it.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("xtask");
    fs::copy(assert_cmd::cargo::cargo_bin!("xtask"), &copy).unwrap();
    for command in ["setup", "demo", "test"] {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .arg(command)
            .assert()
            .code(2)
            .stdout("")
            .stderr(
                contains(format!("xtask: error: `{command}` makes namespaces"))
                    .and(contains("==>").not()),
            );
    }
}

#[test]
fn a_dry_run_names_what_is_lacking_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = script(folder.path(), "cargo", "exit 1");
    let cache = folder.path().join("cache");
    xtask()
        .args(["setup", "--dry-run", "--only", "packages", "--only", "tools"])
        .env("CARGO", cargo)
        // Nothing but sh on the PATH: no compiler, no pkg-config, no cargo tools.
        .env("PATH", folder.path())
        .env("XDG_CACHE_HOME", &cache)
        .assert()
        .success()
        .stdout(
            contains("missing: ")
                .and(contains("rustup component add rustfmt && rustup component add clippy"))
                .and(contains("apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libseccomp-dev"))
                .and(contains("cargo install --locked cargo-nextest --version "))
                .and(contains("cargo install --locked cargo-deny --version ")),
        );
    assert!(!cache.exists());
}

#[test]
fn a_failed_build_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = script(folder.path(), "cargo", "echo from cargo >&2; exit 101");
    xtask()
        .args(["image", "--out"])
        .arg(folder.path().join("out"))
        .env("CARGO", cargo)
        .assert()
        .code(1)
        .stderr(contains("from cargo").and(contains(
            "xtask: error: `cargo build --quiet --package ocipack` failed (exit status: 101)",
        )));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_signal_reaches_the_build_and_becomes_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let (ready, proof) = (folder.path().join("ready"), folder.path().join("proof"));
    let body = format!(
        "trap ': >{}; exit 1' TERM\n: >{}\nwhile :; do sleep 0.05; done",
        proof.display(),
        ready.display()
    );
    let cargo = script(folder.path(), "cargo", &body);
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("xtask"))
        .args(["image", "--out", "/nonexistent/out"])
        .env("CARGO", cargo)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready.exists() {
        assert!(Instant::now() < deadline, "the build never started");
        // The file of another process has no event; the deadline bounds this.
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(proof.exists(), "the signal did not reach the build");
}
