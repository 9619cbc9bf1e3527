//! Programs that must be there already, and how to get them.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::Phase;
use crate::repo::{Repo, find_program};

/// A program that setup cannot provide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// What is missing, with the version where that is the point.
    what: String,
    /// The command that brings it.
    remedy: &'static str,
}

/// Looks for everything that these phases, and what follows them, call.
pub(super) fn missing(repo: &Repo, phases: &[Phase]) -> Vec<Missing> {
    let mut missing = Vec::new();
    if find_program("cc").is_none() && find_program("apt-get").is_none() {
        // With apt, the packages phase installs it.
        missing.push(Missing {
            what: "a C compiler (cc)".to_owned(),
            remedy: "install gcc with this system's package manager",
        });
    }
    if phases.contains(&Phase::Tools) {
        for (subcommand, remedy) in [
            ("fmt", "rustup component add rustfmt"),
            ("clippy", "rustup component add clippy"),
        ] {
            if !answers(repo.cargo().args([subcommand, "--version"])) {
                missing.push(Missing {
                    what: format!("cargo {subcommand}"),
                    remedy,
                });
            }
        }
    }
    if phases.contains(&Phase::Runtime) {
        missing.extend(missing_go(repo));
    }
    missing
}

/// One message for all of them.
pub(super) fn message(missing: &[Missing]) -> String {
    let what: Vec<&str> = missing
        .iter()
        .map(|missing| missing.what.as_str())
        .collect();
    let remedies: Vec<&str> = missing.iter().map(|missing| missing.remedy).collect();
    format!(
        "missing: {}; nothing was changed; run: {}",
        what.join(", "),
        remedies.join(" && ")
    )
}

fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn missing_go(repo: &Repo) -> Option<Missing> {
    let module = repo.root.join("crates/klab/runtime/coredns");
    let wanted = fs::read_to_string(module.join("go.mod"))
        .ok()
        .and_then(|text| go_directive(&text));
    // klab builds with the Go that is installed, so that no other one is downloaded.
    let mut go = Command::new("go");
    go.args(["env", "GOVERSION"])
        .current_dir(&repo.root)
        .env("GOTOOLCHAIN", "local");
    let output = go
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success());
    let found = output.and_then(|output| {
        parse_go(
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .trim_start_matches("go"),
        )
    });
    let wanted = wanted?;
    if found.is_some_and(|found| found >= wanted) {
        return None;
    }
    let have = found.map_or_else(String::new, |(major, minor)| {
        format!(" (found {major}.{minor})")
    });
    Some(Missing {
        what: format!("Go {}.{} or newer{have}", wanted.0, wanted.1),
        remedy: "install Go from https://go.dev/dl/ into /usr/local/go && export PATH=$PATH:/usr/local/go/bin",
    })
}

/// The `go` line of a go.mod (<https://go.dev/ref/mod#go-mod-file-go>).
fn go_directive(text: &str) -> Option<(u32, u32)> {
    text.lines()
        .find_map(|line| parse_go(line.strip_prefix("go ")?))
}

fn parse_go(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_names_all_and_every_remedy() {
        let missing = [
            Missing {
                what: "cargo fmt".to_owned(),
                remedy: "rustup component add rustfmt",
            },
            Missing {
                what: "cargo clippy".to_owned(),
                remedy: "rustup component add clippy",
            },
        ];
        assert_eq!(
            message(&missing),
            "missing: cargo fmt, cargo clippy; nothing was changed; \
             run: rustup component add rustfmt && rustup component add clippy"
        );
    }

    #[test]
    fn go_versions_compare_as_numbers() {
        assert_eq!(go_directive("module x\n\ngo 1.25.0\n"), Some((1, 25)));
        assert_eq!(parse_go("1.26.8"), Some((1, 26)));
        assert_eq!(parse_go("1.27rc1"), Some((1, 27)));
        assert!(parse_go("1.9").unwrap() < parse_go("1.25").unwrap());
        assert_eq!(parse_go("devel"), None);
    }
}
