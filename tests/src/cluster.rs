//! The run's shared cluster.

use std::{env, path::PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use xtask::test::{ARCHIVE_VARIABLE, CLUSTER_VARIABLE, IMAGE_VARIABLE};

use crate::{
    stdout,
    tools::{tool, tool_path},
};

/// A running klab cluster and the way to it.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: String,
    kubeconfig: PathBuf,
}

impl Cluster {
    /// The cluster that this run was given.
    ///
    /// # Panics
    /// When there is none: the suites do not start one.
    #[must_use]
    pub fn from_env() -> Self {
        Self::running(&variable(CLUSTER_VARIABLE))
    }

    /// The running cluster of this name.
    ///
    /// # Panics
    /// When klab knows none.
    #[must_use]
    pub fn running(name: &str) -> Self {
        let asked = tool("klab")
            .args(["--name", name, "kubeconfig", "--path"])
            .assert()
            .success();
        Self {
            name: name.to_owned(),
            kubeconfig: PathBuf::from(stdout(&asked).trim()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The administrator's access.
    #[must_use]
    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    /// The image on its nodes.
    ///
    /// # Panics
    /// When the run was given none.
    #[must_use]
    pub fn image(&self) -> String {
        variable(IMAGE_VARIABLE)
    }

    /// The archive of that image.
    ///
    /// # Panics
    /// When the run was given none.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        PathBuf::from(variable(ARCHIVE_VARIABLE))
    }

    /// `klab --name NAME`
    #[must_use]
    pub fn klab(&self) -> Command {
        let mut klab = tool("klab");
        klab.args(["--name", &self.name]);
        klab
    }

    /// `kapply`, talking to this cluster.
    #[must_use]
    pub fn kapply(&self) -> Command {
        self.client(tool("kapply"))
    }

    /// `kdrill`, talking to this cluster, with the klab of this run on its PATH.
    ///
    /// # Panics
    /// When the tools' folder cannot be part of a PATH.
    #[must_use]
    pub fn kdrill(&self) -> Command {
        let folder = tool_path("klab")
            .parent()
            .expect("a tool lies in a folder")
            .to_path_buf();
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder).chain(env::split_paths(&path));
        let mut kdrill = self.client(tool("kdrill"));
        kdrill.env(
            "PATH",
            env::join_paths(folders).expect("a folder without ':'"),
        );
        kdrill
    }

    /// The runtime's kubectl, talking to this cluster.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let folder = stdout(&tool("klab").args(["runtime", "path"]).assert().success());
        self.client(Command::new(PathBuf::from(folder.trim()).join("kubectl")))
    }

    /// An object or a list, as the API has it.
    ///
    /// # Panics
    /// When kubectl fails.
    #[must_use]
    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> Value {
        let got = self
            .kubectl()
            .arg("get")
            .args(arguments)
            .args(["-o", "json"])
            .assert()
            .success();
        serde_json::from_slice(&got.get_output().stdout).expect("kubectl prints JSON")
    }

    /// The names of its nodes.
    ///
    /// # Panics
    /// When kubectl fails.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        names(&self.get(&["nodes"]))
    }

    fn client(&self, mut command: Command) -> Command {
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }
}

/// The names of a list's objects.
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|item| item["metadata"]["name"].as_str())
        .map(str::to_owned)
        .collect()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need a cluster; run them with: cargo xtask test")
    })
}
