//! An image onto the disk: as a layout directory or as a single archive.
//!
//! Both appear by a rename. A run that is killed leaves what was there before, and the next
//! run replaces what it left.

mod archive;
mod layout;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use archive::{DOCKER_MANIFEST, Members, docker_manifest, pack};

use crate::build::Built;

/// The content of the file that makes a directory a layout (image-layout.md, "oci-layout File").
pub(crate) const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// Temporary files start so: one that a killed run left is known as ours.
const TEMPORARY_PREFIX: &str = ".ocipack-";
const OUTPUT_MODE: u32 = 0o644;

/// Why an image was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something else is there.
    #[error("{} {problem}; remove it or choose another path", path.display())]
    NotOurs {
        /// The target.
        path: PathBuf,
        /// What it is.
        problem: String,
    },
    /// Writing failed.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The target.
        path: PathBuf,
        /// What writing it said.
        source: io::Error,
    },
}

impl WriteError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    fn not_ours(path: &Path, problem: impl Into<String>) -> Self {
        Self::NotOurs {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}

impl Built {
    /// Writes the image as an OCI layout directory, replacing the layout that is there.
    ///
    /// # Errors
    /// The directory holds something other than one image's layout, or cannot be written.
    pub fn write_layout(&self, directory: &Path) -> Result<(), WriteError> {
        layout::write(self, directory)
    }

    /// Writes the image as one tar file: an OCI layout with, for a single platform, the
    /// manifest.json that `docker load` reads.
    ///
    /// # Errors
    /// The file is something other than an OCI archive, or cannot be written.
    pub fn write_archive(&self, file: &Path) -> Result<(), WriteError> {
        archive::write(self, file)
    }
}

/// The directory that a path lies in.
fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A temporary file in a directory, readable for all once it is renamed (as far as the umask lets).
fn temporary(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .permissions(std::fs::Permissions::from_mode(OUTPUT_MODE))
        .tempfile_in(directory)
}

/// Gives a complete temporary file its name, once its bytes are on the disk.
fn persist(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
