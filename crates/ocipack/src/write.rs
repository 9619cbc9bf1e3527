//! An image onto the disk: as a layout directory or as a single archive.
//!
//! Both appear by a rename. A run that is killed leaves what was there before, and the next
//! run replaces what it left.

mod archive;
mod layout;
mod tape;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest, ImageManifest, MediaType};

pub(crate) use archive::DOCKER_MANIFEST;
pub(crate) use layout::LayoutWriter;
pub(crate) use tape::{Folder, Tape};

use crate::build::{self, Built, Epoch};
use crate::content::Content;
use crate::digest::Blob;
use crate::graph::{Graph, Walk};
use crate::passing;
use crate::read::{ReadError, Source};

/// The content of the file that makes a directory a layout (image-layout.md, "oci-layout File").
pub(crate) const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// Temporary files start so: one that a killed run left is known as ours.
pub(crate) const TEMPORARY_PREFIX: &str = ".ocipack-";
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

/// All that a layout of one image holds.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The descriptor in index.json, which alone knows the image's name.
    pub(crate) root: Descriptor,
    pub(crate) blobs: Blobs,
    pub(crate) docker: Option<DockerImage>,
    pub(crate) epoch: Epoch,
}

/// Blobs by digest: platforms can share them.
#[derive(Debug, Default)]
pub(crate) struct Blobs(pub(crate) BTreeMap<String, Blob>);

/// One platform's image as `docker load` wants to know it.
#[derive(Debug, Clone)]
pub(crate) struct DockerImage {
    pub(crate) config: Digest,
    pub(crate) layers: Vec<Digest>,
}

impl DockerImage {
    pub(crate) fn of(manifest: &ImageManifest) -> Self {
        let layers = manifest.layers().iter();
        Self {
            config: manifest.config().digest().clone(),
            layers: layers.map(|layer| layer.digest().clone()).collect(),
        }
    }
}

impl Blobs {
    /// Adds a blob and returns what points to it.
    pub(crate) fn add(&mut self, media_type: MediaType, blob: Blob) -> Descriptor {
        let descriptor = Descriptor::new(media_type, blob.size(), blob.digest.clone());
        self.insert(blob);
        descriptor
    }

    pub(crate) fn insert(&mut self, blob: Blob) {
        self.0.insert(blob.digest.to_string(), blob);
    }
}

impl Layout {
    /// The one image of a layout or archive; layers' bytes are not read.
    pub(crate) fn of(source: &Source) -> Result<Self, ReadError> {
        let graph = source.graph(source.root()?)?;
        let mut layout = Self::from_graph(&graph);
        for descriptor in &graph.blobs {
            let content = Content::Section(source.section(descriptor)?);
            let digest = descriptor.digest().clone();
            layout.blobs.insert(Blob { digest, content });
        }
        Ok(layout)
    }

    /// A layout with a graph's documents; its other blobs are to be inserted.
    pub(crate) fn from_graph(graph: &Graph) -> Self {
        let mut blobs = Blobs::default();
        for (_, document) in &graph.documents {
            blobs.insert(document.clone());
        }
        Self {
            root: graph.root.clone(),
            blobs,
            docker: graph.docker.clone(),
            epoch: Epoch::default(),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        build::name_of(&self.root)
    }

    pub(crate) fn index(&self) -> io::Result<Blob> {
        let index = build::index(vec![self.root.clone()], &BTreeMap::new());
        Ok(Blob::json(&index)?)
    }

    pub(crate) fn write_layout(&self, directory: &Path) -> Result<(), WriteError> {
        let writer = LayoutWriter::begin(directory)?;
        for blob in self.blobs.0.values() {
            writer.put(blob)?;
        }
        writer.finish(self)
    }

    pub(crate) fn write_archive(&self, file: &Path) -> Result<(), WriteError> {
        archive::write(self, file)
    }

    /// Writes an archive into an open file, from its start.
    pub(crate) fn pack(&self, file: &mut File) -> io::Result<()> {
        archive::pack(self, file)
    }
}

impl Source {
    /// All that a descriptor leads to.
    pub(crate) fn graph(&self, root: &Descriptor) -> Result<Graph, ReadError> {
        let mut walk = Walk::new(root.clone());
        while let Some(descriptor) = walk.next() {
            let digest = descriptor.digest().clone();
            let bytes = self.bytes(&descriptor)?;
            walk.take(descriptor, bytes)
                .map_err(|problem| self.damaged(format!("blob {digest} {problem}")))?;
        }
        Ok(walk.finish())
    }
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
        self.layout.write_layout(directory)
    }

    /// Writes the image as one tar file: an OCI layout with, for a single platform, the
    /// manifest.json that `docker load` reads.
    ///
    /// # Errors
    /// The file is something other than an OCI archive, or cannot be written.
    pub fn write_archive(&self, file: &Path) -> Result<(), WriteError> {
        self.layout.write_archive(file)
    }
}

/// The directory that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A temporary file in a directory, readable for all once it is renamed (as far as the umask lets).
fn temporary(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    passing::make(|| {
        tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .permissions(std::fs::Permissions::from_mode(OUTPUT_MODE))
            .tempfile_in(directory)
    })
}

/// Gives a complete temporary file its name, once its bytes are on the disk.
fn persist(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
