//! Files and cgroups that a cluster could leave.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::cluster;

/// Folders of components, with how deep a trace in them would show.
const FOLDERS: &[(&str, usize)] = &[
    ("/etc/cni", 2),
    ("/opt/cni", 2),
    ("/run", 1),
    ("/run/containerd", 2),
    ("/run/netns", 1),
    ("/var/lib/cni", 2),
    ("/var/lib/containerd", 1),
    ("/var/lib/kubelet", 1),
    ("/var/log/containers", 1),
    ("/var/log/pods", 1),
];

/// Everything in those folders, the folders of clusters that count, and klab's in /tmp.
pub(super) fn traces(counts: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, depth) in FOLDERS {
        walk(Path::new(folder), *depth, &mut |path| {
            found.insert(path.display().to_string());
            true
        });
    }
    walk(&cluster::state_root(), 1, &mut |path| {
        if counts(&path.file_name().unwrap_or_default().to_string_lossy()) {
            found.insert(path.display().to_string());
        }
        false
    });
    walk(Path::new("/tmp"), 1, &mut |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("klab") || name.starts_with(".klab") {
            found.insert(path.display().to_string());
        }
        false
    });
    found
}

/// Every cgroup of the clusters that count, in every hierarchy.
pub(super) fn cgroups(counts: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mount = Path::new("/sys/fs/cgroup");
    // One hierarchy for each controller on v1, the mount itself on v2.
    let mut clusters = vec![mount.join("klab")];
    walk(mount, 1, &mut |path| {
        clusters.push(path.join("klab"));
        false
    });
    let mut found = BTreeSet::new();
    for klab in clusters {
        walk(&klab, usize::MAX, &mut |path| {
            let below = path.strip_prefix(&klab).ok();
            let cluster = below.and_then(|below| below.iter().next());
            let counted = cluster.is_some_and(|cluster| counts(&cluster.to_string_lossy()));
            if counted && path.is_dir() {
                found.insert(path.display().to_string());
            }
            counted
        });
    }
    found
}

/// Calls `visit` for everything below `folder`, going on into folders where it says true.
fn walk(folder: &Path, depth: usize, visit: &mut dyn FnMut(&Path) -> bool) {
    if depth == 0 {
        return;
    }
    // What vanishes while we look was not left behind.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for path in paths {
        if visit(&path) && path.is_dir() && !path.is_symlink() {
            walk(&path, depth - 1, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_to_the_depth_asked_for() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        let mut seen = Vec::new();
        walk(root.path(), 2, &mut |path| {
            seen.push(
                path.strip_prefix(root.path())
                    .unwrap()
                    .display()
                    .to_string(),
            );
            true
        });
        assert_eq!(seen, ["a", "a/b"]);
    }
}
