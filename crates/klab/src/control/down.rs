//! `klab down`: nothing is left, whatever was killed before.

use std::{fs, io, path::PathBuf};

use nix::mount::{MntFlags, umount2};

use crate::{
    cgroup,
    error::{Context, Result},
    process,
    state::Folder,
};

/// Ends every process of the cluster, and removes its mounts, cgroups and
/// files. Says whether there was anything.
///
/// # Errors
/// When the kernel does not let go of something.
pub fn down(folder: &Folder) -> Result<bool> {
    // An `up` or a node command in progress would start new processes.
    let lock = if folder.exists() {
        Some(folder.lock()?)
    } else {
        None
    };
    // First: a cluster that is half removed must not look whole.
    match fs::remove_file(folder.spec_file()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).file("cannot remove", folder.spec_file());
        }
        _ => {}
    }
    let running = !process::members(&folder.path())?.is_empty();
    process::kill_members(&folder.path(), |_| true)?;
    for mount in leftover_mounts(folder)? {
        umount2(&mount, MntFlags::MNT_DETACH).file("cannot unmount", mount)?;
    }
    cgroup::detect()?.remove(folder.name(), None)?;
    folder.remove()?;
    Ok(lock.is_some() || running)
}

/// Nodes mount in namespaces of their own, so there are none, unless the
/// machine's mounts are shared in a way we did not foresee.
fn leftover_mounts(folder: &Folder) -> Result<Vec<PathBuf>> {
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").file("cannot read", "/proc/self/mountinfo")?;
    let ours = folder.path();
    let points = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from));
    let mut left: Vec<_> = points.filter(|point| point.starts_with(&ours)).collect();
    left.reverse();
    Ok(left)
}
