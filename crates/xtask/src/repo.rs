//! Where things are, and the refusals that come before anything starts.

use std::{
    env,
    ffi::OsStr,
    io::{IsTerminal as _, stderr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::run::say;

/// Nothing was started: the reason and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// This checkout and the folder its tools are built into.
#[derive(Debug, Clone)]
pub struct Repo {
    /// The workspace's root folder.
    pub root: PathBuf,
    /// The folder with the built tools, `target/debug`.
    pub tools: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Repo {
    /// Finds the checkout from cargo's environment and the tools beside this program.
    ///
    /// # Errors
    /// When this program's own path cannot be read, or lies outside a target folder.
    pub fn find() -> anyhow::Result<Self> {
        // At run time cargo names the checkout it runs in; the compiled-in one may have moved.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .filter(|dir| Path::new(dir).ends_with("crates/xtask"))
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir
            .ancestors()
            .nth(2)
            .context("crates/xtask lies two folders below the workspace's root")?
            .to_path_buf();
        let program = env::current_exe().context("reading the path of this program")?;
        let mut tools = program.parent().context("this program lies in a folder")?;
        if tools.file_name() == Some(OsStr::new("deps")) {
            tools = tools.parent().context("deps lies in a profile's folder")?;
        }
        let target = tools
            .parent()
            .context("a profile's folder lies in target")?;
        Ok(Self {
            root,
            tools: tools.to_path_buf(),
            target: target.to_path_buf(),
        })
    }

    /// The path of one of the workspace's tools, built or not.
    #[must_use]
    pub fn tool(&self, name: &str) -> PathBuf {
        self.tools.join(name)
    }

    /// A cargo command in the workspace's root.
    #[must_use]
    pub fn cargo(&self) -> Command {
        // `cargo run` says which cargo it is; outside of it, PATH does.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        self.outside_of_cargo(Command::new(cargo))
    }

    /// A cargo command that compiles, which may take minutes: on a terminal cargo shows how far it
    /// is, elsewhere one line says so.
    #[must_use]
    pub fn compile(&self, subcommand: &str) -> Command {
        let mut cargo = self.cargo();
        cargo.arg(subcommand);
        if !stderr().is_terminal() {
            say(&format!(
                "    cargo {subcommand}: minutes where nothing is compiled yet"
            ));
            cargo.arg("--quiet");
        }
        cargo
    }

    /// A command in the workspace's root that does not hear which package `cargo run` has started:
    /// build scripts that look at these variables would be run again, and what depends on them
    /// compiled again, whenever cargo is called the other way.
    #[must_use]
    pub fn outside_of_cargo(&self, mut command: Command) -> Command {
        for (name, _) in env::vars_os().filter(|(name, _)| names_the_package(name)) {
            command.env_remove(name);
        }
        command.current_dir(&self.root);
        command
    }
}

/// Variables that cargo sets for a program of a package.
fn names_the_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["CARGO_MANIFEST_", "CARGO_PKG_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || [
            "CARGO_BIN_NAME",
            "CARGO_CRATE_NAME",
            "CARGO_PRIMARY_PACKAGE",
            "OUT_DIR",
        ]
        .contains(&&*name)
}

/// Refuses to go on unless run by root.
///
/// # Errors
/// A [`Refusal`] that says what to run instead.
pub fn require_root(what: &str) -> Result<(), Refusal> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Refusal(format!(
        "`{what}` makes namespaces, cgroups and mounts, so it needs root; \
         nothing was started; run: sudo -E env \"PATH=$PATH\" cargo xtask {what}"
    )))
}

/// Finds a program as a shell would, with the folders of system tools added.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    find_in(env::split_paths(&path), name)
        // A user's PATH often lacks these, and root's tools live there.
        .or_else(|| find_in(["/usr/sbin", "/sbin"].map(PathBuf::from).into_iter(), name))
}

fn find_in(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_workspace_and_the_target_folder() {
        let repo = Repo::find().unwrap();
        assert!(repo.root.join("crates/xtask/Cargo.toml").is_file());
        assert!(!repo.tools.ends_with("deps"));
        assert_eq!(repo.tool("klab"), repo.tools.join("klab"));
    }

    #[test]
    fn programs_are_found_in_the_first_folder_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frob");
        std::fs::write(&path, "").unwrap();
        let folders = [PathBuf::from("/nonexistent"), folder.path().to_path_buf()];
        assert_eq!(find_in(folders.clone().into_iter(), "frob"), Some(path));
        assert_eq!(find_in(folders.into_iter(), "frobnicate"), None);
    }
}
