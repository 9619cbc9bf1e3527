//! A cluster as a fixture: started by a test, and gone when the test is.
//!
//! ```no_run
//! # fn main() -> klab::Result<()> {
//! let cluster = klab::Cluster::builder().nodes(3).start()?;
//! cluster.load("web.tar")?;
//! cluster.stop_node("agent1")?;
//! cluster.exec("server", "hostname").status().expect("klab runs");
//! # Ok(())
//! # }
//! ```
//!
//! # The helper
//!
//! Nodes are namespaces, and only a process with one thread can enter those: not
//! a test. So the library does all of its work through the program `klab`, in
//! the library's own version. It is, in this order:
//!
//! 1. what [`Builder::program`] was given;
//! 2. what the environment variable `KLAB` names;
//! 3. `klab` beside the test: in its folder, in the one above, or in `examples`
//!    there, which is where Cargo puts a package's programs and examples;
//! 4. `klab` on the `PATH`.
//!
//! Cargo does not build the programs of a dependency. A project that has klab
//! among its dev-dependencies makes the helper with an example `klab`, which
//! `cargo test` builds along with the tests:
//!
//! ```no_run
//! // examples/klab.rs
//! fn main() -> std::process::ExitCode {
//!     klab::cli::main()
//! }
//! ```
//!
//! # The end
//!
//! The helper runs as `klab up --hold` for as long as the [`Cluster`] lives, and
//! its standard input is a pipe from the test. Dropping the cluster closes the
//! pipe and waits until nothing is left, also while a panic unwinds. If the test
//! is killed, the kernel closes the pipe, and the cluster goes as well.

mod builder;
mod holder;
mod program;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

pub use builder::Builder;

use self::{holder::Holder, program::Program};
use crate::{
    control::status::Status,
    error::{Error, Result},
};

/// A running cluster of this process's own; dropping it removes it.
#[derive(Debug)]
pub struct Cluster {
    program: Program,
    /// None once it was let go.
    holder: Option<Holder>,
    /// As it was when it had started.
    started: Status,
}

impl Cluster {
    /// Says what to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start(program: Program, options: &[String]) -> Result<Self> {
        let (holder, started) = Holder::start(&program, options)?;
        Ok(Self {
            program,
            holder: Some(holder),
            started,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.started.name
    }

    /// The file with the administrator's access.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        Path::new(&self.started.kubeconfig)
    }

    /// Where its registry is, as in `127.0.0.1:40001`, if it has one.
    #[must_use]
    pub fn registry(&self) -> Option<&str> {
        self.started.registry.as_deref()
    }

    /// How it is now: its nodes and where its Services are reached.
    ///
    /// # Errors
    /// When klab cannot tell.
    pub fn status(&self) -> Result<Status> {
        let text = self.run(&["status", "-o", "json"])?;
        serde_json::from_str(&text)
            .map_err(|error| Error::Helper(format!("klab status: {error}: {text}")))
    }

    /// Adds an agent, waits until it is Ready, and returns its name.
    ///
    /// # Errors
    /// When it does not get Ready.
    pub fn add_node(&self) -> Result<String> {
        Ok(self.run(&["node", "add"])?.trim().to_owned())
    }

    /// Cuts a node's power.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn stop_node(&self, node: &str) -> Result<()> {
        self.run(&["node", "stop", node]).map(drop)
    }

    /// Starts a stopped node, and waits until it is Ready.
    ///
    /// # Errors
    /// When it does not get Ready.
    pub fn start_node(&self, node: &str) -> Result<()> {
        self.run(&["node", "start", node]).map(drop)
    }

    /// Cuts a node off from the others; its pods go on.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn partition_node(&self, node: &str) -> Result<()> {
        self.run(&["node", "partition", node]).map(drop)
    }

    /// Gives a node its network back, and waits until it is Ready.
    ///
    /// # Errors
    /// When it is stopped, or does not get Ready.
    pub fn heal_node(&self, node: &str) -> Result<()> {
        self.run(&["node", "heal", node]).map(drop)
    }

    /// Removes an agent for good.
    ///
    /// # Errors
    /// When it is a server.
    pub fn remove_node(&self, node: &str) -> Result<()> {
        self.run(&["node", "rm", node]).map(drop)
    }

    /// Imports an image archive on every node, now and whenever one starts.
    ///
    /// # Errors
    /// When the archive is not what it says it is.
    pub fn load(&self, archive: impl AsRef<Path>) -> Result<()> {
        let mut command = self.klab(&["load"]);
        command.arg(archive.as_ref());
        program::run(command).map(drop)
    }

    /// A command that runs `program` on a node, in its namespaces: not started
    /// yet, so that it takes arguments, an environment and streams.
    #[must_use]
    pub fn exec(&self, node: &str, program: &str) -> Command {
        self.klab(&["exec", node, "--", program])
    }

    /// The runtime's kubectl with the administrator's access, not started yet.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(PathBuf::from(&self.started.runtime).join("kubectl"));
        kubectl.env("KUBECONFIG", self.kubeconfig());
        kubectl
    }

    /// Any other klab command on this cluster, not started yet.
    #[must_use]
    pub fn klab(&self, words: &[&str]) -> Command {
        let mut command = self.program.command();
        command.args(words);
        command
    }

    /// Leaves the cluster running when this process ends, and returns the
    /// command that removes it.
    ///
    /// # Errors
    /// When the helper is gone.
    pub fn keep(mut self) -> Result<String> {
        let remove = self.program.shown("down");
        self.holder.take().map_or(Ok(()), Holder::keep)?;
        Ok(remove)
    }

    /// Removes the cluster, as dropping it does, and says what went wrong.
    ///
    /// # Errors
    /// When something of it is left.
    pub fn down(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        let Some(holder) = self.holder.take() else {
            return Ok(());
        };
        // A helper that was killed removed nothing.
        holder.remove().or_else(|_| self.run(&["down"]).map(drop))
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        program::run(self.klab(words))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            // A second panic would end the process here and now.
            let _ = writeln!(std::io::stderr(), "klab: error: {error}");
        }
    }
}
