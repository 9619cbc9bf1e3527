//! A klab cluster, through klab's own command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    repo::{Refusal, Repo},
    run::Runner,
};

/// One cluster by name, running or not.
#[derive(Debug, Clone)]
pub struct Cluster {
    klab: PathBuf,
    name: String,
}

impl Cluster {
    /// The cluster `name` of this checkout's klab.
    #[must_use]
    pub fn new(repo: &Repo, name: &str) -> Self {
        Self {
            klab: repo.tool("klab"),
            name: name.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `klab --name NAME` with further arguments.
    #[must_use]
    pub fn klab(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.klab);
        command.args(["--name", &self.name]).args(arguments);
        command
    }

    /// Whether klab has anything by this name, also what a killed command left.
    #[must_use]
    pub fn exists(&self) -> bool {
        state_root().join(&self.name).exists()
    }

    /// Refuses if there is a cluster of this name.
    ///
    /// # Errors
    /// A [`Refusal`] that says how to remove it.
    pub fn refuse_existing(&self) -> Result<(), Refusal> {
        if !self.exists() {
            return Ok(());
        }
        Err(Refusal(format!(
            "cluster {} exists already; nothing was started; remove it with: {} --name {} down",
            self.name,
            self.klab.display(),
            self.name
        )))
    }

    /// Starts it.
    ///
    /// # Errors
    /// When klab fails.
    pub fn up(&self, runner: &Runner, nodes: u8) -> anyhow::Result<()> {
        runner.run(&mut self.klab(&["up", "--nodes", &nodes.to_string()]))
    }

    /// Starts it with a registry, and returns where that is.
    ///
    /// # Errors
    /// When klab fails or names no registry.
    pub fn up_with_registry(&self, runner: &Runner, nodes: u8) -> anyhow::Result<String> {
        runner.run(&mut self.klab(&["up", "--registry", "--nodes", &nodes.to_string()]))?;
        let status = runner.output(&mut self.klab(&["status", "--output", "json"]))?;
        let status: serde_json::Value =
            serde_json::from_str(&status).context("reading the status from klab")?;
        let registry = status["registry"].as_str();
        registry
            .map(str::to_owned)
            .context("klab names no registry")
    }

    /// Starts it without any node.
    ///
    /// # Errors
    /// When klab fails.
    pub fn up_control_plane(&self, runner: &Runner) -> anyhow::Result<()> {
        runner.run(&mut self.klab(&["up", "--control-plane-only"]))
    }

    /// Gives an image archive to every node.
    ///
    /// # Errors
    /// When klab fails.
    pub fn load(&self, runner: &Runner, archive: &Path) -> anyhow::Result<()> {
        runner.run(self.klab(&["load"]).arg(archive))
    }

    /// The file with the administrator's access.
    ///
    /// # Errors
    /// When klab fails or names no file.
    pub fn kubeconfig(&self, runner: &Runner) -> anyhow::Result<PathBuf> {
        let path = PathBuf::from(runner.output(&mut self.klab(&["kubeconfig", "--path"]))?);
        if !path.is_file() {
            bail!(
                "klab names the kubeconfig {} but there is no such file",
                path.display()
            );
        }
        Ok(path)
    }

    /// Removes it and everything of it.
    ///
    /// # Errors
    /// When klab fails.
    pub fn down(&self, runner: &Runner) -> anyhow::Result<()> {
        runner.run(&mut self.klab(&["down"]))
    }
}

/// Where klab keeps its clusters.
#[must_use]
pub fn state_root() -> PathBuf {
    env::var_os("KLAB_STATE").map_or_else(|| PathBuf::from("/var/lib/klab"), PathBuf::from)
}

/// The name of a cluster that the process `pid` is to remove; `suffix` tells its several apart.
#[must_use]
pub fn owned_name(pid: u32, suffix: &str) -> String {
    format!("e2e-{pid}{suffix}")
}

/// Whether what is left of the cluster `name` is left by this process: one of its
/// own, or of a test that is dead. Clusters of others, who are at work beside us, are not.
#[must_use]
pub fn owned_here(name: &str) -> bool {
    owner(name).is_some_and(|pid| pid == std::process::id() || !alive(pid))
}

/// Names of clusters whose owner is dead: what a killed run left behind.
#[must_use]
pub fn orphans() -> Vec<String> {
    let entries = fs::read_dir(state_root()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| owner(name).is_some_and(|pid| !alive(pid)))
        .collect()
}

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn owner(name: &str) -> Option<u32> {
    let digits = name
        .strip_prefix("e2e-")?
        .trim_end_matches(|c: char| c.is_ascii_lowercase());
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_runs_own_clusters_have_an_owner() {
        assert_eq!(owner(&owned_name(17, "")), Some(17));
        assert_eq!(owner(&owned_name(17, "b")), Some(17));
        for other in ["demo", "e2e-", "e2e-x", "e2e-1-2", "my-e2e-17"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn clusters_of_others_who_live_are_not_ours() {
        assert!(owned_here(&owned_name(std::process::id(), "a")));
        assert!(!owned_here(&owned_name(1, "")), "init lives");
        // Above the largest process id there can be (proc(5), pid_max).
        assert!(owned_here(&owned_name(1 << 23, "")));
        assert!(!owned_here("demo"));
    }

    #[test]
    fn commands_name_the_cluster() {
        let repo = Repo::find().unwrap();
        let command = Cluster::new(&repo, "demo").klab(&["down"]);
        assert_eq!(command.get_program(), repo.tool("klab"));
        assert_eq!(
            command.get_args().collect::<Vec<_>>(),
            ["--name", "demo", "down"]
        );
    }
}
