//! Cargo's tools at pinned versions, built once per machine into a cache.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use crate::{
    repo::{Repo, find_program},
    run::{Runner, say},
};

/// A cargo subcommand from crates.io.
#[derive(Debug)]
pub struct CargoTool {
    /// The crate and the program.
    name: &'static str,
    /// Exact; the newest whose `rust-version` the workspace's own one satisfies.
    version: &'static str,
}

/// The test runner.
pub const NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    version: "0.9.128",
};
/// The check of licences, sources and duplicates.
pub const DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
};
/// The compiler's wrapper that lists a program's crates in the program.
pub const AUDITABLE: CargoTool = CargoTool {
    name: "cargo-auditable",
    version: "0.7.7",
};
/// All of them.
pub(super) const TOOLS: &[CargoTool] = &[NEXTEST, DENY, AUDITABLE];

// These programs wait for other programs: what counts is the time to build them.
const FAST_BUILD: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

impl CargoTool {
    /// The program's path, built first if need be.
    ///
    /// # Errors
    /// When `cargo install` fails.
    pub fn ensure(&self, repo: &Repo, runner: &Runner) -> anyhow::Result<PathBuf> {
        if let Some(path) = self.find() {
            return Ok(path);
        }
        say(&format!(
            "xtask: building {} {} (minutes, once)",
            self.name, self.version
        ));
        let mut install = repo.cargo();
        install
            .args(self.install_arguments())
            .envs(FAST_BUILD.iter().copied());
        // Shared by the tools and kept when interrupted, so the next run goes on from there.
        let build = cache().join("build");
        install.env("CARGO_TARGET_DIR", &build);
        for meant_for_the_workspace in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]
        {
            install.env_remove(meant_for_the_workspace);
        }
        runner.run(&mut install)?;
        // Of exactly this version, which not every tool says of itself.
        let path = self.cached();
        if !path.is_file() {
            anyhow::bail!("cargo install brought no {}", path.display());
        }
        if TOOLS.iter().all(|tool| tool.find().is_some()) && build.exists() {
            std::fs::remove_dir_all(&build)
                .with_context(|| format!("removing {}", build.display()))?;
        }
        Ok(path)
    }

    /// The program at the pinned version, in the cache or on PATH.
    #[must_use]
    pub fn find(&self) -> Option<PathBuf> {
        // Its folder carries the version, and cargo installs by renaming: there means whole.
        Some(self.cached())
            .filter(|path| path.is_file())
            .or_else(|| find_program(self.name).filter(|path| says_version(path, self.version)))
    }

    /// The install as one would type it.
    #[must_use]
    pub fn install_command(&self) -> String {
        format!("cargo {}", self.install_arguments().join(" "))
    }

    fn install_arguments(&self) -> Vec<String> {
        let root = self.root().display().to_string();
        let arguments = [
            "install",
            "--locked",
            self.name,
            "--version",
            self.version,
            "--root",
            &root,
        ];
        // Without default features: no self-update, no tracing probes.
        arguments
            .into_iter()
            .chain(["--no-default-features"])
            .map(str::to_owned)
            .collect()
    }

    fn root(&self) -> PathBuf {
        cache().join(format!("{}-{}", self.name, self.version))
    }

    fn cached(&self) -> PathBuf {
        self.root().join("bin").join(self.name)
    }
}

/// `$XDG_CACHE_HOME/xtask`, shared by all checkouts of a user.
#[must_use]
pub fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    base.unwrap_or_else(|| home().join(".cache")).join("xtask")
}

fn says_version(program: &Path, version: &str) -> bool {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        text.split_whitespace().nth(1) == Some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn another_version_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("cargo-frob");
        fs::write(
            &program,
            "#!/bin/sh\necho cargo-frob 1.2.3 '(abc 2026-01-01)'\n",
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(says_version(&program, "1.2.3"));
        assert!(!says_version(&program, "1.2"));
        assert!(!says_version(Path::new("/nonexistent"), "1.2.3"));
    }

    #[test]
    fn installs_are_locked_and_pinned() {
        let command = NEXTEST.install_command();
        assert!(
            command.contains("--locked cargo-nextest --version 0.9.128 --root /"),
            "{command}"
        );
    }
}
