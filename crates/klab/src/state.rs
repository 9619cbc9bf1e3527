//! A cluster's folder: where everything klab writes for it lies.
//!
//! ```text
//! /var/lib/klab/NAME/          0700
//!   cluster.json               the spec
//!   kubeconfig                 admin access through 127.0.0.1
//!   switch.log, cloud.log
//!   registry/, registry.log    with --registry: what was pushed
//!   pki/                       the authorities' keys and the admin's
//!   images/                    archives every node gets, by digest
//!   images/servers/            and those that only servers get
//!   nodes/NODE/node.json       what the node's PID 1 starts
//!   nodes/NODE/lib             the node's /var/lib
//!   nodes/NODE/log             the node's /var/log
//! ```

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Context, Error, Result},
    spec::{ClusterName, ClusterSpec},
};

/// Where clusters are kept unless `KLAB_STATE` says otherwise.
pub const DEFAULT_ROOT: &str = "/var/lib/klab";

/// The folder of one cluster; it need not exist.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    name: ClusterName,
}

impl Folder {
    /// The folder of the cluster `name` under `root`, an absolute path.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, name: ClusterName) -> Self {
        Self {
            root: root.into(),
            name,
        }
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.join(self.name.as_str())
    }

    /// `cluster.json`.
    #[must_use]
    pub fn spec_file(&self) -> PathBuf {
        self.path().join("cluster.json")
    }

    /// The admin's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path().join("kubeconfig")
    }

    /// The switch's log.
    #[must_use]
    pub fn switch_log(&self) -> PathBuf {
        self.path().join("switch.log")
    }

    /// What was pushed to the cluster's registry.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.path().join("registry")
    }

    /// The registry's log.
    #[must_use]
    pub fn registry_log(&self) -> PathBuf {
        self.path().join("registry.log")
    }

    /// What gives Services addresses and claims volumes logs here.
    #[must_use]
    pub fn cloud_log(&self) -> PathBuf {
        self.path().join("cloud.log")
    }

    /// Certificates and keys.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.path().join("pki")
    }

    /// Archives that every node imports.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.path().join("images")
    }

    /// Archives that only servers import.
    #[must_use]
    pub fn server_images(&self) -> PathBuf {
        self.images().join("servers")
    }

    /// What belongs to one node.
    #[must_use]
    pub fn node(&self, node: &str) -> NodeFolder {
        NodeFolder(self.path().join("nodes").join(node))
    }

    /// Makes the folder, which must not exist, and locks it.
    ///
    /// # Errors
    /// [`Error::State`] when the cluster exists.
    pub fn create(&self) -> Result<Lock> {
        private_dir(&self.root)?;
        match fs::DirBuilder::new().mode(0o700).create(self.path()) {
            Ok(()) => self.lock(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::State(
                format!("cluster {} exists already", self.name),
            )),
            Err(error) => Err(error).file("cannot create", self.path()),
        }
    }

    /// Waits until no other klab command changes this cluster.
    ///
    /// # Errors
    /// [`Error::State`] when there is no such cluster.
    pub fn lock(&self) -> Result<Lock> {
        loop {
            let folder = match fs::File::open(self.path()) {
                Ok(folder) => folder,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.missing()),
                Err(error) => return Err(error).file("cannot open", self.path()),
            };
            let inode = folder.metadata().file("cannot read", self.path())?.ino();
            let lock = Self::flock(folder, self)?;
            // The one we waited for may have been `down`, and a new `up` since.
            match fs::metadata(self.path()) {
                Ok(now) if now.ino() == inode => return Ok(Lock { _flock: lock }),
                _ => {}
            }
        }
    }

    fn flock(folder: fs::File, named: &Self) -> Result<Flock<fs::File>> {
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(lock),
            Err((folder, nix::errno::Errno::EWOULDBLOCK)) => {
                let waiting = "klab: waiting for another klab command on cluster";
                let _ = writeln!(io::stderr(), "{waiting} {}", named.name);
                Flock::lock(folder, FlockArg::LockExclusive)
                    .map_err(|(_, errno)| errno)
                    .file("cannot lock", named.path())
            }
            Err((_, errno)) => Err(errno).file("cannot lock", named.path()),
        }
    }

    /// Whether there is anything of this cluster on disk.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// The spec of a cluster whose `up` finished.
    ///
    /// # Errors
    /// [`Error::State`] when there is none, or `up` was interrupted.
    pub fn spec(&self) -> Result<ClusterSpec> {
        if !self.exists() {
            return Err(self.missing());
        }
        let incomplete = || {
            Error::State(format!(
                "cluster {} was left unfinished by an interrupted command; remove it with: {}",
                self.name,
                self.command("down")
            ))
        };
        if !self.spec_file().exists() {
            return Err(incomplete());
        }
        let spec: ClusterSpec = read_json(&self.spec_file())?;
        if spec.complete {
            Ok(spec)
        } else {
            Err(incomplete())
        }
    }

    /// Writes the spec.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, spec: &ClusterSpec) -> Result<()> {
        write_json(&self.spec_file(), spec)
    }

    /// Removes the folder, and the root when this was its last cluster.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(self.path()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).file("cannot remove", self.path()),
        }
        // Other clusters keep it.
        let _ = fs::remove_dir(&self.root);
        Ok(())
    }

    /// A klab command for this cluster, as one would type it.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        let state = if self.root == Path::new(DEFAULT_ROOT) {
            String::new()
        } else {
            format!("--state {} ", self.root.display())
        };
        format!("klab {state}--name {} {words}", self.name)
    }

    fn missing(&self) -> Error {
        Error::State(format!(
            "there is no cluster {}; start one with: {}",
            self.name,
            self.command("up")
        ))
    }
}

/// Held while a command changes a cluster.
#[derive(Debug)]
pub struct Lock {
    _flock: Flock<fs::File>,
}

/// The folder of one node.
#[derive(Debug, Clone)]
pub struct NodeFolder(PathBuf);

impl NodeFolder {
    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the node's PID 1 reads.
    #[must_use]
    pub fn plan(&self) -> PathBuf {
        self.0.join("node.json")
    }

    /// The node's `/var/lib`.
    #[must_use]
    pub fn lib(&self) -> PathBuf {
        self.0.join("lib")
    }

    /// The node's `/var/log`; a file for each component.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Configuration and keys, seen inside as `/var/lib/klab`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.lib().join("klab")
    }
}

/// Makes a folder that only root may enter, with its parents.
///
/// # Errors
/// When the disk refuses.
pub fn private_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .file("cannot create", path)
}

/// Writes a file that only root may read, whole or not at all.
///
/// # Errors
/// When the disk refuses.
pub fn write_private(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let temporary = path.with_added_extension("new");
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content.as_ref())?;
        fs::rename(&temporary, path)
    };
    write().file("cannot write", path)
}

/// Reads a JSON file.
///
/// # Errors
/// When it cannot be read, or is not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).file("cannot read", path)?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::State(format!("{}: {error}", path.display())))
}

/// Writes a JSON file, whole or not at all.
///
/// # Errors
/// When the disk refuses.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::State(format!("{}: {error}", path.display())))?;
    text.push(b'\n');
    write_private(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path) -> Folder {
        Folder::new(root, "t".parse().unwrap())
    }

    #[test]
    fn a_second_create_says_that_it_exists() {
        let root = tempfile::tempdir().unwrap();
        let _lock = folder(root.path()).create().unwrap();
        let error = folder(root.path()).create().unwrap_err().to_string();
        assert_eq!(error, "cluster t exists already");
    }

    #[test]
    fn an_interrupted_up_is_named_with_its_remedy() {
        let root = tempfile::tempdir().unwrap();
        let _lock = folder(root.path()).create().unwrap();
        let error = folder(root.path()).spec().unwrap_err().to_string();
        let remedy = format!("klab --state {} --name t down", root.path().display());
        assert!(error.contains(&remedy), "{error}");
    }

    #[test]
    fn files_are_private_and_the_last_cluster_takes_the_root_along() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root.path().join("state"));
        let lock = folder.create().unwrap();
        write_private(&folder.kubeconfig(), "x").unwrap();
        assert_eq!(
            fs::metadata(folder.kubeconfig()).unwrap().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
        drop(lock);
        folder.remove().unwrap();
        assert!(!root.path().join("state").exists());
    }
}
