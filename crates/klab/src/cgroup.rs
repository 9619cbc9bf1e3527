//! Where pods' cgroups go: `/klab/CLUSTER/NODE` in every hierarchy, made
//! before the kubelet starts and removed when the node goes.
//!
//! Linux has two kinds of hierarchies. On v1 each controller has its own, and
//! a new cpuset is unusable until its processors and memory are set. On v2
//! there is one, a controller must be passed down level by level, and no
//! process may sit where others are below.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::{Context, Error, Result},
    spec::ClusterName,
};

const MOUNT: &str = "/sys/fs/cgroup";
const ROOT: &str = "klab";
/// What a kubelet wants of its cgroup root on v2, as far as the machine has it.
/// Source: kubelet's `getSupportedUnifiedControllers`.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "hugetlb", "memory", "pids"];

/// How this machine has its cgroups mounted.
#[derive(Debug, PartialEq, Eq)]
pub enum Hierarchies {
    /// One for everything.
    V2(PathBuf),
    /// One for each controller, named ones too, and a v2 one that has none:
    /// the kubelet and runc make their folders in all of them.
    V1(Vec<PathBuf>),
}

/// Reads what is mounted.
///
/// # Errors
/// [`Error::Machine`] when there are no cgroups.
pub fn detect() -> Result<Hierarchies> {
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").file("cannot read", "/proc/self/mountinfo")?;
    decide(&mounts)
}

fn decide(mountinfo: &str) -> Result<Hierarchies> {
    let mut v1 = Vec::new();
    let mut v2 = None;
    for line in mountinfo.lines() {
        // man 5 proc: the mount point is the fifth field, the type follows " - ".
        let Some((fields, rest)) = line.split_once(" - ") else {
            continue;
        };
        let Some(point) = fields.split(' ').nth(4).map(PathBuf::from) else {
            continue;
        };
        if !point.starts_with(MOUNT) {
            continue;
        }
        match rest.split(' ').next() {
            Some("cgroup") => v1.push(point),
            Some("cgroup2") => v2 = Some(point),
            _ => {}
        }
    }
    match (v1.is_empty(), v2) {
        (true, Some(point)) => Ok(Hierarchies::V2(point)),
        (false, v2) => {
            v1.extend(v2);
            Ok(Hierarchies::V1(v1))
        }
        (true, None) => Err(Error::Machine(format!(
            "no cgroups are mounted under {MOUNT}; mount them with: mount -t cgroup2 none {MOUNT}"
        ))),
    }
}

/// The kubelet's `cgroupRoot` for a node.
#[must_use]
pub fn kubelet_root(cluster: &ClusterName, node: &str) -> String {
    format!("/{ROOT}/{cluster}/{node}")
}

impl Hierarchies {
    /// Makes a node's cgroups, and lets the kubelet use the controllers there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn create(&self, cluster: &ClusterName, node: &str) -> Result<()> {
        let levels = [ROOT, cluster.as_str(), node];
        match self {
            Self::V2(mount) => {
                let mut path = mount.clone();
                pass_down(&path)?;
                for level in levels {
                    path.push(level);
                    make(&path)?;
                    pass_down(&path)?;
                }
            }
            Self::V1(mounts) => {
                for mount in mounts {
                    let mut path = mount.clone();
                    for level in levels {
                        path.push(level);
                        make(&path)?;
                        copy_cpuset(&path)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what is below a node's cgroups and themselves, or a whole
    /// cluster's without `node`. Their processes must have ended.
    ///
    /// # Errors
    /// When one is still busy after ten seconds.
    pub fn remove(&self, cluster: &ClusterName, node: Option<&str>) -> Result<()> {
        let mounts = match self {
            Self::V2(mount) => std::slice::from_ref(mount),
            Self::V1(mounts) => mounts.as_slice(),
        };
        for mount in mounts {
            let root = mount.join(ROOT);
            let mut path = root.join(cluster.as_str());
            path.extend(node);
            remove_tree(&path)?;
            // Other nodes and clusters keep these.
            let _ = fs::remove_dir(root.join(cluster.as_str()));
            let _ = fs::remove_dir(&root);
        }
        Ok(())
    }
}

fn make(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).file("cannot create cgroup", path)
        }
        _ => Ok(()),
    }
}

/// v1: an empty cpuset takes no process.
fn copy_cpuset(path: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = path.join(file);
        let Ok(now) = fs::read_to_string(&own) else {
            continue;
        };
        if now.trim().is_empty() {
            let parent = path.parent().unwrap_or(path).join(file);
            let value = fs::read_to_string(&parent).file("cannot read", parent)?;
            fs::write(&own, value).file("cannot write", own)?;
        }
    }
    Ok(())
}

/// v2: hands the controllers that a level has on to the next one.
fn pass_down(path: &Path) -> Result<()> {
    let control = path.join("cgroup.subtree_control");
    let words = |file: &Path| fs::read_to_string(file).file("cannot read", file);
    let passed = words(&control)?;
    let there = words(&path.join("cgroup.controllers"))?;
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    let missing = CONTROLLERS
        .iter()
        .filter(|name| has(&there, name) && !has(&passed, name));
    for name in missing {
        fs::write(&control, format!("+{name}")).map_err(|error| {
            Error::Machine(format!(
                "cannot pass the cgroup controller {name} down at {}: {error}; in a container, run it with \
                 --privileged --cgroupns=host, or move its processes out of the root cgroup first",
                path.display()
            ))
        })?;
    }
    Ok(())
}

/// Bottom-up, patiently: a cgroup is busy for a moment after its last process.
fn remove_tree(path: &Path) -> Result<()> {
    if let Ok(list) = fs::read_dir(path) {
        for entry in list
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            remove_tree(&entry.path())?;
        }
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).file("cannot remove cgroup", path);
            }
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 20 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs mode=755
31 30 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
32 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
33 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
    const UNIFIED: &str =
        "30 20 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn a_hybrid_machine_is_v1_with_an_empty_v2_among_its_hierarchies() {
        let expected = [
            "/sys/fs/cgroup/cpu",
            "/sys/fs/cgroup/systemd",
            "/sys/fs/cgroup/unified",
        ]
        .map(PathBuf::from)
        .to_vec();
        assert_eq!(decide(HYBRID).unwrap(), Hierarchies::V1(expected));
    }

    #[test]
    fn a_unified_machine_is_v2() {
        assert_eq!(
            decide(UNIFIED).unwrap(),
            Hierarchies::V2("/sys/fs/cgroup".into())
        );
    }

    #[test]
    fn none_at_all_says_what_to_mount() {
        let error = decide("21 1 8:1 / / rw - ext4 /dev/vda rw\n").unwrap_err();
        assert!(error.to_string().contains("mount -t cgroup2"), "{error}");
    }

    /// A plain folder stands in for cgroup v2: the files are the interface.
    #[test]
    fn v2_controllers_are_passed_down_at_every_level() {
        let mount = tempfile::tempdir().unwrap();
        let cluster = "t".parse().unwrap();
        let mut path = mount.path().to_owned();
        for level in ["", "klab", "t", "agent1"] {
            path.push(level);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("cgroup.controllers"), "cpuset cpu io memory pids").unwrap();
            fs::write(path.join("cgroup.subtree_control"), "cpuset cpu memory").unwrap();
        }
        let hierarchies = Hierarchies::V2(mount.path().to_owned());
        hierarchies.create(&cluster, "agent1").unwrap();
        // The stand-in keeps the last write: the one controller that was missing and is there.
        for level in ["klab", "klab/t", "klab/t/agent1"] {
            let control = mount.path().join(level).join("cgroup.subtree_control");
            assert_eq!(fs::read_to_string(control).unwrap(), "+pids", "{level}");
        }
    }
}
