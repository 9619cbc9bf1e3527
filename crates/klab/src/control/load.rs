//! `klab load`: images from archives into every node's containerd.
//!
//! The cluster keeps a copy, so that nodes which are added later, or were
//! stopped, get them too.

use std::{
    fs, io,
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
    images,
    process::{self, MEMBER_VARIABLE, marker},
    runtime::{self, Part},
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
    let archive = std::slice::from_ref(&kept.archive);
    try_join_all(spec.nodes.iter().map(|node| import(folder, node, archive))).await?;
    Ok(kept)
}

/// Imports everything the cluster keeps for these nodes.
pub(super) async fn import_kept(folder: &Folder, nodes: &[NodeSpec]) -> Result<()> {
    let for_all = archives(&folder.images())?;
    let for_servers = archives(&folder.server_images())?;
    try_join_all(nodes.iter().map(async |node| {
        import(folder, node, &for_all).await?;
        if node.is_server() {
            import(folder, node, &for_servers).await?;
        }
        Ok::<_, Error>(())
    }))
    .await
    .map(drop)
}

/// The archives in a folder, which need not be there.
fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).file("cannot list", folder),
    };
    let mut archives: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .collect();
    archives.sort();
    Ok(archives)
}

async fn import(folder: &Folder, node: &NodeSpec, archives: &[PathBuf]) -> Result<()> {
    // A stopped node gets them when it starts.
    let Some(init) = process::node_init(&folder.path(), &node.name)? else {
        return Ok(());
    };
    let ctr = runtime::folder(Part::Cluster)?.join("ctr");
    let socket = PathBuf::from(format!("/proc/{}/root{CONTAINERD_SOCKET}", init.pid));
    wait_for(&socket, &node.name).await?;
    for archive in archives {
        import_one(folder, &ctr, &socket, archive, &node.name).await?;
    }
    Ok(())
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

async fn import_one(
    folder: &Folder,
    ctr: &Path,
    socket: &Path,
    archive: &Path,
    node: &str,
) -> Result<()> {
    let output = Command::new(ctr)
        .arg("--address")
        .arg(socket)
        .args(["--namespace", "k8s.io", "images", "import"])
        .arg(archive)
        // It outlives this command if that is killed, but not the node.
        .env(MEMBER_VARIABLE, marker(&folder.path(), node))
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
