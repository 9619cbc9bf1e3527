//! Versions of the stack's image, made of the one under test and loaded onto every node.

use std::process::Command;

use e2e::{Shared, run, tool};

/// A version that serves as the one under test does.
pub(crate) fn next(shared: &Shared) -> String {
    version(shared, "next", &[])
}

/// A version that runs and serves nobody: it listens inside its pod only.
pub(crate) fn deaf(shared: &Shared) -> String {
    let words = [
        "--entrypoint",
        "/bin/hostname-server",
        "--entrypoint",
        "--listen",
        "--entrypoint",
        "127.0.0.1:5000",
    ];
    version(shared, "deaf", &words)
}

fn version(shared: &Shared, name: &str, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join(format!("{name}.tar"));
    let reference = format!("localhost/hostname-server:{name}-{}", std::process::id());
    let label = format!("org.opencontainers.image.version={name}");
    let mut build = Command::new(tool("ocipack"));
    build
        .args(["build", "--base"])
        .arg(&shared.archive)
        .args(["--name", &reference, "--label", &label])
        .args(words)
        .arg("-o")
        .arg(&archive);
    run(&mut build, "").exits(0);
    shared.klab(&["load", archive.to_str().unwrap()]).exits(0);
    reference
}
