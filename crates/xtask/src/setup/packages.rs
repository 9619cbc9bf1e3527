//! Debian packages, found missing by what they would provide.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{
    repo::find_program,
    run::{Runner, say},
};

/// A package and how to see that what it provides is there, whoever installed it.
#[derive(Debug)]
pub(super) struct Package {
    name: &'static str,
    present: fn() -> bool,
}

// The same names on Debian 12, 13, sid and Ubuntu.
/// What the cluster needs.
pub(super) const CLUSTER: &[Package] = &[
    // Rust's linker and runc's cgo.
    Package {
        name: "gcc",
        present: || find_program("cc").is_some(),
    },
    // Static linking: the server's image, runc.
    Package {
        name: "libc6-dev",
        present: || compiler_finds("libc.a"),
    },
    Package {
        name: "pkg-config",
        present: || find_program("pkg-config").is_some(),
    },
    // runc without seccomp starts no sandbox.
    Package {
        name: "libseccomp-dev",
        present: || compiler_finds("libseccomp.a"),
    },
    // kube-proxy calls nft.
    Package {
        name: "nftables",
        present: || find_program("nft").is_some(),
    },
];

/// What the suites compare with and look through.
pub(super) const SUITES: &[Package] = &[
    Package {
        name: "buildah",
        present: || find_program("buildah").is_some(),
    },
    Package {
        name: "skopeo",
        present: || find_program("skopeo").is_some(),
    },
    Package {
        name: "umoci",
        present: || find_program("umoci").is_some(),
    },
    // Ubuntu's package is a snap; its users mostly have the other one.
    Package {
        name: "chromium",
        present: || {
            let names = [
                "chromium",
                "chromium-browser",
                "google-chrome",
                "google-chrome-stable",
            ];
            names.iter().any(|name| find_program(name).is_some())
        },
    },
];

/// The packages whose content is not there.
pub(super) fn missing(packages: &[Package]) -> Vec<&'static str> {
    packages
        .iter()
        .filter(|package| !(package.present)())
        .map(|package| package.name)
        .collect()
}

/// What [`ensure`] would do, if anything.
pub(super) fn would_run(packages: &[Package]) -> Option<String> {
    let missing = missing(packages);
    let would_run = || format!("would run: {}", install_command(&missing));
    (!missing.is_empty()).then(would_run)
}

/// The command that installs them.
fn install_command(packages: &[&str]) -> String {
    format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Installs those of them whose content is not there.
pub(super) fn ensure(runner: &Runner, packages: &[Package]) -> anyhow::Result<()> {
    install(runner, &missing(packages))?;
    let left = missing(packages);
    if !left.is_empty() {
        bail!(
            "apt did its work, but what {} would bring cannot be found; see that it is on PATH, and run again",
            left.join(" ")
        );
    }
    Ok(())
}

/// Installs packages with apt.
pub(super) fn install(runner: &Runner, packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if find_program("apt-get").is_none() {
        bail!(
            "this system has no apt-get; install what Debian calls {} with its own package manager",
            packages.join(" ")
        );
    }
    say(&format!("xtask: installing {}", packages.join(" ")));
    // A fresh machine has no package lists, an old one has lists of packages that are gone.
    let advice = || format!("run by hand: {}", install_command(packages));
    runner.run(&mut apt(&["update"])).with_context(advice)?;
    let mut install = apt(&["install", "-y", "--no-install-recommends"]);
    runner.run(install.args(packages)).with_context(advice)
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("-q")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether the C compiler finds a library; it prints the bare name when it does not.
fn compiler_finds(library: &str) -> bool {
    Command::new("cc")
        .arg(format!("-print-file-name={library}"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_named() {
        let packages = [
            Package {
                name: "here",
                present: || true,
            },
            Package {
                name: "gone",
                present: || false,
            },
            Package {
                name: "lost",
                present: || false,
            },
        ];
        assert_eq!(missing(&packages), ["gone", "lost"]);
        assert_eq!(
            install_command(&missing(&packages)),
            "apt-get update && apt-get install -y --no-install-recommends gone lost"
        );
    }

    #[test]
    fn the_compiler_is_asked_for_libraries() {
        assert!(compiler_finds("libc.so.6") || compiler_finds("libc.so"));
        assert!(!compiler_finds("libnonexistent.a"));
    }
}
