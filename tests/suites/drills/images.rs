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
    let ocipack = |words: &[&str]| run(Command::new(tool("ocipack")).args(words), "").exits(0);
    let tree = folder.path().join("tree");
    ocipack(&[
        "unpack",
        shared.archive.to_str().unwrap(),
        tree.to_str().unwrap(),
    ]);
    let server = tree.join("bin/hostname-server");
    let binary = format!("linux/{}={}", architecture(), server.display());
    let archive = folder.path().join(format!("{name}.tar"));
    let archive = archive.to_str().unwrap();
    let reference = format!("localhost/hostname-server:{name}-{}", std::process::id());
    let label = format!("org.opencontainers.image.version={name}");
    let flags = ["--name", &reference, "--label", &label, "-o", archive];
    ocipack(&[&["build", "--binary", &binary], &flags[..], words].concat());
    shared.klab(&["load", archive]).exits(0);
    reference
}

/// This machine's architecture, as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}
