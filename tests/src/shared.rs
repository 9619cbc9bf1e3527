//! The cluster that all suites of a run share.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Ran, run, tool};

/// The run's cluster, and the image that every node has.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The cluster's name.
    pub name: String,
    /// The image's name, as pods ask for it.
    pub image: String,
    /// Its archive.
    pub archive: PathBuf,
    kubeconfig: String,
    kubectl: PathBuf,
}

impl Shared {
    /// The cluster of this run.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get() -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set; run the suites with: cargo xtask test")
            })
        };
        let name = variable("E2E_CLUSTER");
        let klab = |words: &[&str]| {
            let ran = run(
                Command::new(tool("klab"))
                    .args(["--name", &name])
                    .args(words),
                "",
            )
            .exits(0);
            ran.stdout.trim().to_owned()
        };
        Self {
            kubeconfig: klab(&["kubeconfig", "--path"]),
            kubectl: PathBuf::from(klab(&["runtime", "path"])).join("kubectl"),
            image: variable("E2E_IMAGE"),
            archive: variable("E2E_ARCHIVE").into(),
            name,
        }
    }

    /// Runs klab on this cluster.
    pub fn klab(&self, words: &[&str]) -> Ran {
        run(
            Command::new(tool("klab"))
                .args(["--name", &self.name])
                .args(words),
            "",
        )
    }

    /// Runs kapply against this cluster.
    pub fn kapply(&self, words: &[&str], input: &str) -> Ran {
        run(&mut self.kapply_command(words), input)
    }

    /// kapply against this cluster, not started yet.
    #[must_use]
    pub fn kapply_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(tool("kapply"));
        command.args(words).env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Runs kapply and kills it after a while, if it still runs then.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn kapply_killed(&self, words: &[&str], after: Duration) {
        let mut child = Command::new(tool("kapply"))
            .args(words)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it can be started");
        std::thread::sleep(after);
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Runs the runtime's kubectl against this cluster.
    pub fn kubectl(&self, words: &[&str], input: &str) -> Ran {
        run(&mut self.kubectl_command(words), input)
    }

    /// The runtime's kubectl against this cluster, not started yet.
    #[must_use]
    pub fn kubectl_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .args(words)
            .env("KUBECONFIG", &self.kubeconfig)
            // Only adds --applyset, which is alpha.
            .env("KUBECTL_APPLYSET", "true");
        command
    }

    /// Runs kdrill against this cluster, its load on the server's network unless it is a Job.
    pub fn kdrill(&self, words: &[&str]) -> Ran {
        let klab = format!("{} --name {}", tool("klab").display(), self.name);
        let load = format!("{klab} exec server --");
        let node = |words: &str| format!("{klab} node {words}");
        let (down, up) = (node("stop"), node("start"));
        let (partition, heal) = (node("partition"), node("heal"));
        let via = ["--load-via", &load];
        let via = if words.contains(&"--load-image") {
            &[][..]
        } else {
            &via
        };
        let commands = [
            ["--node-down", &down],
            ["--node-up", &up],
            ["--partition", &partition],
            ["--heal", &heal],
        ]
        .concat();
        run(
            Command::new(tool("kdrill"))
                .arg("run")
                .args(words)
                .args(via)
                .args(commands)
                .env("KUBECONFIG", &self.kubeconfig),
            "",
        )
    }

    /// An object as the API server has it.
    ///
    /// # Panics
    /// When there is none.
    pub fn get_json(&self, words: &[&str]) -> Value {
        let ran = self
            .kubectl(&[&["get", "-o", "json"], words].concat(), "")
            .exits(0);
        // With --ignore-not-found there may be nothing.
        if ran.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&ran.stdout).expect("kubectl prints JSON")
    }

    /// Asks again until `wanted` gives something.
    ///
    /// # Panics
    /// When it has not within `limit`.
    pub fn eventually<T>(what: &str, limit: Duration, mut wanted: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = wanted() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "not within {} s: {what}",
                limit.as_secs()
            );
            // The one place where suites poll: processes, files and sockets of others have no event.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
