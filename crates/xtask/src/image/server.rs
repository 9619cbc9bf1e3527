//! The static server, without a trace of the folder it was built in.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{repo::Repo, run::Runner, setup};

/// With what the wrapper asks cargo for the list of crates, which it puts into the program.
const CARGO_ARGUMENTS: &str = r#"{"offline":false,"locked":true,"frozen":false,"config":[]}"#;

/// The built program.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub binary: PathBuf,
    /// As OCI names it: `linux/amd64`.
    pub platform: &'static str,
}

/// The part of `cargo metadata` that is read here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    manifest_path: PathBuf,
    /// None for the workspace's own packages.
    source: Option<String>,
}

impl Server {
    /// Builds the server for this machine's architecture.
    ///
    /// # Errors
    /// When rustc or cargo fail, or there is no image for this architecture.
    pub fn build(repo: &Repo, runner: &Runner) -> anyhow::Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = runner.output(Command::new(&rustc).arg("-vV"))?;
        let sysroot = runner.output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let host = field(&version, "host")?;
        let (target, platform) = target(host)?;
        // A folder of its own: other flags here must not rebuild everything there.
        let folder = repo.target.join("server");
        let mut metadata = repo.cargo();
        metadata.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            target,
        ]);
        let metadata: Metadata = serde_json::from_str(&runner.output(&mut metadata)?)
            .context("reading the output of cargo metadata")?;

        let mut remaps = vec![(repo.root.clone(), "/source"), (folder.clone(), "/target")];
        remaps.extend(
            crate_folders(&metadata.packages)
                .into_iter()
                .map(|path| (path, "/crates")),
        );
        // With the rust-src component, inlined library code names the local copy instead of this.
        let library = format!(
            "/rustc/{}",
            field(&version, "commit-hash").unwrap_or("unknown")
        );
        remaps.push((Path::new(&sysroot).join("lib/rustlib/src/rust"), &library));

        let mut build = repo.compile("build");
        build.args(["--release", "--locked", "--package", "hostname-server"]);
        build
            .args(["--target", target, "--target-dir"])
            .arg(&folder);
        for (name, _) in env::vars_os().filter(|(name, _)| changes_the_build(name)) {
            build.env_remove(name);
        }
        build.env("CARGO_ENCODED_RUSTFLAGS", rustflags(&remaps));
        // `cargo auditable` would put its own path into the names of symbols, and so into the bytes:
        // cargo hashes a workspace's wrapper, and not a wrapper of every rustc.
        build
            .env("RUSTC_WRAPPER", setup::AUDITABLE.ensure(repo, runner)?)
            .env("CARGO_AUDITABLE_ORIG_ARGS", CARGO_ARGUMENTS);
        runner.run(&mut build)?;
        let binary = folder.join(target).join("release/hostname-server");
        if !binary.is_file() {
            bail!("cargo built no {}", binary.display());
        }
        Ok(Self { binary, platform })
    }
}

fn field<'a>(version: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    version
        .lines()
        .find_map(value)
        .with_context(|| format!("rustc -vV says no {name}"))
}

/// The target of the host's architecture and its OCI platform.
fn target(host: &str) -> anyhow::Result<(&'static str, &'static str)> {
    match host.split('-').next() {
        Some("x86_64") => Ok(("x86_64-unknown-linux-gnu", "linux/amd64")),
        Some("aarch64") => Ok(("aarch64-unknown-linux-gnu", "linux/arm64")),
        _ => bail!("no image for {host}; build on x86_64 or aarch64 Linux"),
    }
}

/// Folders that hold crates: of registries, of mirrors, or a vendored one.
fn crate_folders(packages: &[Package]) -> BTreeSet<PathBuf> {
    let foreign = packages.iter().filter(|package| package.source.is_some());
    // FOLDER/name-version/Cargo.toml
    foreign
        .filter_map(|package| package.manifest_path.ancestors().nth(2))
        .map(Path::to_path_buf)
        .collect()
}

/// Settings of the caller that would change the bytes.
fn changes_the_build(variable: &OsString) -> bool {
    let name = variable.to_string_lossy();
    ["CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_BUILD_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["RUSTFLAGS", "CARGO_INCREMENTAL", "RUSTC_WORKSPACE_WRAPPER"].contains(&&*name)
}

/// Flags in cargo's encoding, which allows spaces in paths.
fn rustflags(remaps: &[(PathBuf, &str)]) -> OsString {
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    for (from, to) in remaps {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_survive_spaces_in_paths() {
        let flags = rustflags(&[(PathBuf::from("/my code"), "/source")]);
        assert_eq!(
            flags,
            "-Ctarget-feature=+crt-static\u{1f}--remap-path-prefix=/my code=/source"
        );
    }

    #[test]
    fn every_folder_of_foreign_crates_is_found_once() {
        let package = |path: &str, source: Option<&str>| Package {
            manifest_path: PathBuf::from(path),
            source: source.map(str::to_owned),
        };
        let packages = [
            package(
                "/home/u/.cargo/registry/src/index-1/a-1.0.0/Cargo.toml",
                Some("registry+x"),
            ),
            package(
                "/home/u/.cargo/registry/src/index-1/b-1.0.0/Cargo.toml",
                Some("registry+x"),
            ),
            package("/work/vendor/c/Cargo.toml", Some("registry+y")),
            package("/work/crates/own/Cargo.toml", None),
        ];
        let expected = ["/home/u/.cargo/registry/src/index-1", "/work/vendor"].map(PathBuf::from);
        assert_eq!(crate_folders(&packages), BTreeSet::from(expected));
    }

    #[test]
    fn the_callers_flags_do_not_reach_the_build() {
        for name in [
            "RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_BUILD_TARGET",
            "CARGO_INCREMENTAL",
        ] {
            assert!(changes_the_build(&name.into()), "{name}");
        }
        for name in [
            "PATH",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!changes_the_build(&name.into()), "{name}");
        }
    }

    #[test]
    fn only_known_architectures_have_images() {
        assert_eq!(
            target("aarch64-unknown-linux-musl").unwrap().1,
            "linux/arm64"
        );
        assert!(target("riscv64gc-unknown-linux-gnu").is_err());
    }
}
