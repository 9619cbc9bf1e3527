//! Processes of a cluster that belong to no node: the switch keeps them running.

use std::{path::PathBuf, time::Duration};

use tokio::time::sleep;

use crate::{
    error::{Context, Result},
    process::{MEMBER_VARIABLE, marker},
};

const RESTART_DELAY: Duration = Duration::from_secs(1);

/// A command, and the cluster's folder and the role that it is marked with.
type Prepared = (std::process::Command, PathBuf, &'static str);

/// A process that is started again whenever it ends.
pub(crate) struct Supervised {
    name: &'static str,
    prepare: Box<dyn Fn() -> Result<Prepared> + Send + Sync>,
}

impl Supervised {
    /// `prepare` gives the command for every start.
    pub(crate) fn new(
        name: &'static str,
        prepare: impl Fn() -> Result<Prepared> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            prepare: Box::new(prepare),
        }
    }

    /// Runs it for ever, in the network namespace of the calling thread.
    pub(crate) async fn keep_running(self) {
        loop {
            match self.run().await {
                Ok(status) => eprintln!("switch: the {} ended: {status}", self.name),
                Err(error) => eprintln!("switch: {error}"),
            }
            sleep(RESTART_DELAY).await;
        }
    }

    async fn run(&self) -> Result<std::process::ExitStatus> {
        let (mut command, folder, role) = (self.prepare)()?;
        command.env(MEMBER_VARIABLE, marker(&folder, role));
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .system(format!("cannot start the {}", self.name))?;
        child
            .wait()
            .await
            .system(format!("cannot wait for the {}", self.name))
    }
}
