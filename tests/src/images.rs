//! Images for pods of the suites, loaded onto every node: versions of the one under test, and kdrill.

use std::process::Command;

use crate::{Shared, run, tool};

/// A version that serves as the one under test does.
///
/// # Panics
/// When it cannot be built or loaded.
pub fn next(shared: &Shared) -> String {
    version(shared, "next", &[])
}

/// A version that runs and serves nobody: it listens inside its pod only.
///
/// # Panics
/// When it cannot be built or loaded.
pub fn deaf(shared: &Shared) -> String {
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
    let folder = tempfile::tempdir().expect("a folder can be made");
    let ocipack = |words: &[&str]| run(Command::new(tool("ocipack")).args(words), "").exits(0);
    let tree = folder.path().join("tree");
    ocipack(&[
        "unpack",
        shared.archive.to_str().expect("a path in UTF-8"),
        tree.to_str().expect("a path in UTF-8"),
    ]);
    let server = tree.join("bin/hostname-server");
    let binary = format!("linux/{}={}", architecture(), server.display());
    let archive = folder.path().join(format!("{name}.tar"));
    let archive = archive.to_str().expect("a path in UTF-8");
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

/// kdrill itself, with the libraries that a program of the development profile needs.
///
/// # Panics
/// When it cannot be built or loaded.
pub fn kdrill(shared: &Shared) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (archive, program) = (folder.path().join("kdrill.tar"), tool("kdrill"));
    let listed = run(Command::new("ldd").arg(&program), "").exits(0).stdout;
    // NAME => PATH (ADDRESS), or for the loader PATH (ADDRESS).
    let libraries = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace().filter(|word| word.starts_with('/'));
        words.next()
    });
    let reference = format!("localhost/kdrill:{}", std::process::id());
    let mut build = Command::new(tool("ocipack"));
    build
        .args(["build", "--allow-dynamic", "--compression", "none"])
        .arg("--binary")
        .arg(format!("linux/{}={}", architecture(), program.display()))
        .args(["--name", &reference, "-o"])
        .arg(&archive);
    for path in libraries {
        build.arg("--file").arg(format!("{path}:{path}:0755"));
    }
    run(&mut build, "").exits(0);
    shared
        .klab(&["load", archive.to_str().expect("a path in UTF-8")])
        .exits(0);
    reference
}
