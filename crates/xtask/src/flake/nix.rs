//! Nix: the one on PATH, or one from Debian's archive in a folder of the cache.
//!
//! Either is called through a small program that holds its settings: nothing
//! from the network, and this machine's tools in the sandbox.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::write_program;
use crate::{
    repo::{Refusal, Repo, find_program},
    run::{Runner, say},
    setup,
};

/// Nix, to be called.
#[derive(Debug)]
pub struct Nix {
    folder: PathBuf,
}

impl Nix {
    /// Whether there is a Nix, or may be.
    ///
    /// # Errors
    /// A [`Refusal`] that says how to get one.
    pub fn require() -> Result<(), Refusal> {
        if find_program("nix").is_some() || private().exists() || may_install() {
            return Ok(());
        }
        Err(Refusal(
            "there is no nix on PATH; install it from https://nixos.org/download, or let a \
             private one be brought here by setting CI=true (on Debian)"
                .to_owned(),
        ))
    }

    /// Finds Nix or brings it here, and writes the program that calls it.
    pub(super) fn find_or_install(
        repo: &Repo,
        runner: &Runner,
        folder: &Path,
        visible: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let on_path = find_program("nix");
        if on_path.is_none() && !private().exists() {
            Self::require()?;
            say("xtask: bringing Nix into a folder of its own");
            setup::ensure_programs(runner, &["mmdebstrap", "patchelf"])?;
            let mut install = Command::new(repo.root.join("tests/flake/install-nix.sh"));
            runner.run(install.arg(private()))?;
        }
        let (nix, around) = match &on_path {
            Some(nix) => (nix.clone(), String::new()),
            None => (private().join("bin/nix"), own_store()?),
        };
        let environment = environment(visible, on_path.is_none());
        for (name, program) in [("nix", nix.display().to_string()), ("run", "\"$@\"".into())] {
            let arguments = if name == "nix" { " \"$@\"" } else { "" };
            let text = format!("#!/bin/sh\n{environment}exec {around}{program}{arguments}\n");
            write_program(&folder.join(name), &text)?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    /// The program that takes Nix's arguments.
    pub(super) fn program(&self) -> PathBuf {
        self.folder.join("nix")
    }

    pub(super) fn command(&self) -> Command {
        Command::new(self.program())
    }

    /// A program that sees the store.
    pub(super) fn shell(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join("run"));
        command.arg(program);
        command
    }
}

/// Where a Nix of our own lies.
fn private() -> PathBuf {
    setup::cache().join("nix")
}

/// On a build machine nobody is surprised by it.
fn may_install() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true") && find_program("apt-get").is_some()
}

/// Store paths begin with /nix: in a mount namespace of its own, the folder in the cache is there.
/// With -n, for mount's own notes would be left behind in /run.
fn own_store() -> anyhow::Result<String> {
    let store = setup::cache().join("nix-store");
    for folder in [store.as_path(), Path::new("/nix")] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    Ok(format!(
        "unshare --mount --propagation private sh -c 'mount -n --bind \"$0\" /nix && exec \"$@\"' {} ",
        store.display()
    ))
}

fn environment(visible: &[PathBuf], private: bool) -> String {
    let visible: Vec<String> = visible
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut settings = vec![
        "experimental-features = nix-command flakes".to_owned(),
        format!("sandbox-paths = {}", visible.join(" ")),
        "sandbox = true".to_owned(),
        "sandbox-fallback = false".to_owned(),
        "substituters =".to_owned(),
        "flake-registry =".to_owned(),
        "warn-dirty = false".to_owned(),
    ];
    if private {
        // Root builds as root: there are no build users.
        settings.push("build-users-group =".to_owned());
    }
    let caches = setup::cache().join("nix-cache");
    format!(
        "export NIX_CONFIG='{}'\nexport NIX_CONF_DIR=/nonexistent NIX_CACHE_HOME='{}'\n",
        settings.join("\n"),
        caches.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_see_the_tools_and_nothing_comes_from_the_network() {
        let text = environment(&["/usr".into(), "/opt/rust".into()], true);
        assert!(
            text.contains("\nsandbox-paths = /usr /opt/rust\n"),
            "{text}"
        );
        assert!(text.contains("\nsubstituters =\n"), "{text}");
        assert!(text.contains("\nbuild-users-group ="), "{text}");
        assert!(!environment(&[], false).contains("build-users-group"));
    }
}
