//! `klab node add|stop|start|partition|slow|heal|rm`.

use std::{fs, io, path::Path, time::Duration};

use k8s_openapi::jiff::Timestamp;

use super::{no_such_node, up};
use crate::{
    api,
    error::{Context, Error, Result},
    net::{
        cable::{self, Cable},
        slow::{self, Slowness},
    },
    node::launch,
    pki::Authorities,
    process,
    progress::Progress,
    spec::{ClusterSpec, NodeSpec},
    state::Folder,
};

/// Adds an agent, waits until it is Ready, and returns its name.
///
/// # Errors
/// When the network is full, or the node does not get Ready; then nothing is left of it.
pub async fn add(folder: &Folder, progress: &Progress) -> Result<NodeSpec> {
    let _lock = folder.lock()?;
    let mut spec = folder.spec()?;
    if spec.control_plane_only {
        return Err(Error::State(format!(
            "cluster {} is a control plane only: it runs no nodes",
            spec.name
        )));
    }
    let node = spec
        .next_agent()
        .ok_or_else(|| Error::State(format!("cluster {} is full", spec.name)))?;
    spec.nodes.push(node.clone());
    // On disk first: whatever happens next, `node rm` and `down` know of it.
    folder.save(&spec)?;
    let started = async {
        up::write_node(folder, &spec, &node, &Authorities::load(folder)?)?;
        launch::start(folder, &node)?;
        up::make_ready(folder, std::slice::from_ref(&node), None, progress).await
    };
    match started.await {
        Ok(()) => Ok(node),
        Err(error) => {
            discard(folder, &mut spec, &node).await?;
            Err(error)
        }
    }
}

/// Cuts a node's power; twice is once.
///
/// # Errors
/// When something on it cannot be ended.
pub fn stop(folder: &Folder, name: &str) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    launch::cut_power(folder, find(&spec, name)?)
}

/// Starts a node, and waits until it is Ready. One that runs gets what a start
/// that was killed has left undone.
///
/// # Errors
/// When it does not get Ready.
pub async fn start(folder: &Folder, name: &str, progress: &Progress) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    let node = find(&spec, name)?;
    let since = Timestamp::now();
    if process::node_init(&folder.path(), name)?.is_none() {
        // Whatever a kill left of its former life.
        launch::sweep(folder, name)?;
        if !folder.node(name).plan().exists() {
            // A `node add` that was killed had not written all of it.
            up::write_node(folder, &spec, node, &Authorities::load(folder)?)?;
        }
        launch::start(folder, node)?;
    }
    serves_again(folder, &spec, node, since, progress).await
}

/// Cuts a node off from all others: its cable goes dead, but everything on it
/// goes on, so its pods are still there when it heals.
///
/// # Errors
/// When it is stopped.
pub fn partition(folder: &Folder, name: &str) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    let node = find(&spec, name)?;
    running(folder, node)?;
    cable::set(folder, node, Cable::Cut)
}

/// Makes a node's network narrow, late or lossy.
///
/// # Errors
/// When it is stopped, or the kernel cannot.
pub fn slow(folder: &Folder, name: &str, slowness: &Slowness) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    let node = find(&spec, name)?;
    let init = running(folder, node)?;
    slow::set(node, cable::switch_pid(folder)?, init, slowness)
}

/// Makes a node's network whole again: it is connected and as fast as it can
/// be. Waits until the node is Ready.
///
/// # Errors
/// When it is stopped, or does not get Ready.
pub async fn heal(folder: &Folder, name: &str, progress: &Progress) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    let node = find(&spec, name)?;
    let init = running(folder, node)?;
    let since = Timestamp::now();
    slow::clear(node, cable::switch_pid(folder)?, init)?;
    cable::set(folder, node, Cable::Connected)?;
    serves_again(folder, &spec, node, since, progress).await
}

/// Removes an agent for good.
///
/// # Errors
/// When it is the server.
pub async fn remove(folder: &Folder, name: &str) -> Result<()> {
    let _lock = folder.lock()?;
    let mut spec = folder.spec()?;
    let node = find(&spec, name)?.clone();
    if node.is_server() {
        return Err(Error::State(format!(
            "{name} runs the control plane; to remove the whole cluster: {}",
            folder.command("down")
        )));
    }
    discard(folder, &mut spec, &node).await
}

/// Waits until a node does its work, by what it says after `since`.
pub(super) async fn serves_again(
    folder: &Folder,
    spec: &ClusterSpec,
    node: &NodeSpec,
    since: Timestamp,
    progress: &Progress,
) -> Result<()> {
    if spec.control_plane_only {
        let client = api::client(folder).await?;
        return api::ready(&client, Duration::from_mins(1)).await;
    }
    up::make_ready(folder, std::slice::from_ref(node), Some(since), progress).await
}

/// The node's PID 1.
pub(super) fn running(folder: &Folder, node: &NodeSpec) -> Result<i32> {
    if let Some(init) = process::node_init(&folder.path(), &node.name)? {
        return Ok(init.pid);
    }
    Err(Error::State(format!(
        "node {name} is stopped; start it with: {start}",
        name = node.name,
        start = folder.command(&format!("node start {}", node.name))
    )))
}

/// Removes a node; killed half-way, it is still in the spec, and this can be done again.
async fn discard(folder: &Folder, spec: &mut ClusterSpec, node: &NodeSpec) -> Result<()> {
    launch::sweep(folder, &node.name)?;
    // After that: with its kubelet alive it would register again.
    api::forget_node(&api::client(folder).await?, node).await?;
    let own = folder.node(&node.name);
    // The plan says that the folder is whole, so it goes first.
    gone(&own.plan(), |path| fs::remove_file(path))?;
    gone(own.path(), |path| fs::remove_dir_all(path))?;
    spec.nodes.retain(|other| other != node);
    folder.save(spec)
}

/// Removes something that need not be there.
fn gone(path: &Path, how: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    match how(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).file("cannot remove", path)
        }
        _ => Ok(()),
    }
}

pub(super) fn find<'a>(spec: &'a ClusterSpec, name: &str) -> Result<&'a NodeSpec> {
    spec.node(name).ok_or_else(|| no_such_node(spec, name))
}
