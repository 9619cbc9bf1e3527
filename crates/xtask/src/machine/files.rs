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

/// Everything in those folders, the clusters' own folders, and klab's in /tmp.
pub(super) fn traces() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, depth) in FOLDERS {
        walk(Path::new(folder), *depth, &mut |path| {
            found.insert(path.display().to_string());
            true
        });
    }
    walk(&cluster::state_root(), 1, &mut |path| {
        found.insert(path.display().to_string())
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

/// Every cgroup of every hierarchy but those of systemd's units.
pub(super) fn cgroups(except: Option<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(Path::new("/sys/fs/cgroup"), usize::MAX, &mut |path| {
        let unit = path
            .extension()
            .is_some_and(|end| end == "slice" || end == "scope" || end == "service");
        let left_out =
            except.is_some_and(|cluster| path.ends_with(Path::new("klab").join(cluster)));
        if unit || left_out || !path.is_dir() {
            return false;
        }
        found.insert(path.display().to_string());
        true
    });
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
