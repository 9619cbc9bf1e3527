//! What a cloud does for a cluster: it gives Services addresses that can be
//! reached from outside, and claims volumes.
//!
//! All of 127.0.0.0/8 is the machine's loopback, so every cluster has a network
//! of its own there, and a Service of type `LoadBalancer` an address with all of
//! its ports. Whoever connects there is passed on to a node's port of the Service.

mod addresses;
mod listen;
mod services;
mod volumes;

pub use addresses::{LoopbackNet, Published, published};

use std::{path::Path, process::Stdio, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    api, child,
    error::{Context, Error, Result},
    net::supervise::Supervised,
    process::own_program,
    state::Folder,
};

/// The role of this process among the cluster's members.
const ROLE: &str = "cloud";
/// `up` writes the administrator's access within a second of starting the switch.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How the switch starts it.
pub(crate) fn supervised(folder: &Folder) -> Supervised {
    let folder = folder.clone();
    Supervised::new("cloud", move || {
        let log = child::append(&folder.cloud_log())?;
        let mut command = own_program();
        command
            .args(["internal", "cloud"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Ok((command, folder.path(), ROLE))
    })
}

/// The process's own life.
///
/// # Errors
/// When it cannot start, or `up` ended before it had written how the API is
/// reached; it goes on after every error of the API server.
pub fn run(folder: &Folder) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async {
        let kubeconfig = folder.kubeconfig();
        let waiting = timeout(START_LIMIT, written(&kubeconfig));
        waiting.await.map_err(|_| unfinished(folder, &kubeconfig))?;
        let client = api::client(folder).await?;
        let door = listen::Door::open(folder)?;
        tokio::join!(
            services::serve(folder, &client, door),
            volumes::provide(folder, &client)
        );
        Ok(())
    })
}

/// `up` writes it a moment after this process has started, and tells nobody.
async fn written(path: &Path) {
    while !path.exists() {
        sleep(Duration::from_millis(100)).await;
    }
}

fn unfinished(folder: &Folder, kubeconfig: &Path) -> Error {
    Error::State(format!(
        "there is no {} after {} s, so `up` did not finish; remove the cluster with: {}",
        kubeconfig.display(),
        START_LIMIT.as_secs(),
        folder.command("down")
    ))
}
