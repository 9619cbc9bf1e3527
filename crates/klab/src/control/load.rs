//! `klab load`: images from archives into every node's containerd.
//!
//! The cluster keeps a copy, so that nodes which are added later, or were
//! stopped, get them too.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures::future::try_join_all;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use crate::{
    components::CONTAINERD_SOCKET,
    error::{Context, Error, Result},
    images, process, runtime,
    spec::NodeSpec,
    state::Folder,
};

const CONTAINERD_LIMIT: Duration = Duration::from_mins(1);

/// Checks an archive, keeps it, and imports it on every running node. Returns
/// the image's name and digest.
///
/// # Errors
/// When the archive is not what it says it is; then nothing was changed.
pub async fn load(folder: &Folder, archive: &Path) -> Result<images::Kept> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    if spec.control_plane_only {
        return Err(Error::State(format!(
            "cluster {} is a control plane only: it runs no images",
            spec.name
        )));
    }
    let kept = images::keep(folder, archive)?;
    import(folder, &spec.nodes, std::slice::from_ref(&kept.archive)).await?;
    Ok(kept)
}

/// Imports everything the cluster keeps on these nodes.
pub(super) async fn import_kept(folder: &Folder, nodes: &[NodeSpec]) -> Result<()> {
    let mut archives = Vec::new();
    for entry in fs::read_dir(folder.images())
        .file("cannot list", folder.images())?
        .flatten()
    {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "tar")
        {
            archives.push(entry.path());
        }
    }
    archives.sort();
    import(folder, nodes, &archives).await
}

async fn import(folder: &Folder, nodes: &[NodeSpec], archives: &[PathBuf]) -> Result<()> {
    let ctr = runtime::folder()?.join("ctr");
    try_join_all(nodes.iter().map(async |node| {
        // A stopped node gets them when it starts.
        let Some(init) = process::node_init(&folder.path(), &node.name)? else {
            return Ok(());
        };
        let socket = PathBuf::from(format!("/proc/{}/root{CONTAINERD_SOCKET}", init.pid));
        wait_for(&socket, &node.name).await?;
        for archive in archives {
            import_one(&ctr, &socket, archive, &node.name).await?;
        }
        Ok::<_, Error>(())
    }))
    .await
    .map(drop)
}

/// containerd has no way to call us when it serves.
async fn wait_for(socket: &Path, node: &str) -> Result<()> {
    let wait = async {
        while UnixStream::connect(socket).is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(CONTAINERD_LIMIT, wait).await.map_err(|_| {
        Error::Component(format!(
            "containerd on {node} does not serve after {} s",
            CONTAINERD_LIMIT.as_secs()
        ))
    })
}

async fn import_one(ctr: &Path, socket: &Path, archive: &Path, node: &str) -> Result<()> {
    let output = Command::new(ctr)
        .arg("--address")
        .arg(socket)
        .args(["--namespace", "k8s.io", "images", "import"])
        .arg(archive)
        .stdin(Stdio::null())
        .output()
        .await
        .system(format!("cannot run {}", ctr.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().last().unwrap_or("it said nothing");
    Err(Error::Component(format!(
        "containerd on {node} refused {}: {last}",
        archive.display()
    )))
}
