//! The cluster's components: klab builds them, this asks it where they are.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, bail};

use crate::{repo::Repo, run::Runner};

/// The built components.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// The folder with `kubectl`, `kubelet`, `containerd` and the rest.
    pub bin: PathBuf,
}

impl Runtime {
    /// Lets klab build the components, as far as they are not built yet.
    ///
    /// # Errors
    /// When a build fails.
    pub fn build(repo: &Repo, runner: &Runner) -> anyhow::Result<Self> {
        let printed = runner.output(Command::new(repo.tool("klab")).args(["runtime", "build"]))?;
        if printed.is_empty() {
            bail!("`klab runtime build` printed no folder");
        }
        Self::find(repo)
    }

    /// The components that are built already.
    ///
    /// # Errors
    /// When klab or the components are not built.
    pub fn find(repo: &Repo) -> anyhow::Result<Self> {
        let klab = repo.tool("klab");
        let output = Command::new(&klab)
            .args(["runtime", "path"])
            .output()
            .with_context(|| format!("{} is not built yet", klab.display()))?;
        let bin = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if !output.status.success() || !bin.join("kubectl").exists() {
            bail!("the cluster's components are not built yet");
        }
        Ok(Self { bin })
    }

    /// The runtime's kubectl.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.bin.join("kubectl")
    }
}

/// Builds the workspace's tools into [`Repo::tools`].
pub(super) fn build_tools(repo: &Repo, runner: &Runner) -> anyhow::Result<()> {
    // All at once: the same selection everywhere means the same features, built once.
    runner.run(repo.compile("build").args(["--workspace", "--bins"]))
}
