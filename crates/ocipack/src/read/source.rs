//! Opening a layout or an archive, and the one image in it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest, ImageIndex, OciLayout};
use serde::de::DeserializeOwned;

use super::document::MAX_DOCUMENT;
use super::inspect::{self, Summary};
use super::store::Store;
use super::verify::{self, Verification};
use crate::build::name_of;

/// Why a layout or archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The layout or archive.
        path: PathBuf,
        /// What reading it said.
        source: io::Error,
    },
    /// It is not an OCI layout.
    #[error("{} is not an OCI layout or an archive of one: {problem}", path.display())]
    NotLayout {
        /// The layout or archive.
        path: PathBuf,
        /// What is missing or wrong.
        problem: String,
    },
    /// One image was expected.
    #[error("{} holds {count} images where one is expected; take one out, as with `skopeo copy`", path.display())]
    NotOneImage {
        /// The layout or archive.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// It is truncated, or an object in it is missing, damaged or malformed.
    #[error("{}: {problem}; build or fetch it again", path.display())]
    Damaged {
        /// The layout or archive.
        path: PathBuf,
        /// Which object, and what is wrong with it.
        problem: String,
    },
}

/// An opened layout directory or archive. Nothing in it has been checked but that it is one.
pub struct Source {
    pub(crate) path: PathBuf,
    pub(crate) store: Store,
    pub(crate) index: ImageIndex,
}

impl Source {
    /// Opens a layout directory or a tar of one.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let not_layout = |problem| ReadError::NotLayout {
            path: path.to_owned(),
            problem,
        };
        let store =
            Store::open(path).map_err(|error| match (error.raw_os_error(), error.kind()) {
                (Some(_), _) => ReadError::Io {
                    path: path.to_owned(),
                    source: error,
                },
                (None, io::ErrorKind::InvalidData) => ReadError::Damaged {
                    path: path.to_owned(),
                    problem: error.to_string(),
                },
                (None, _) => not_layout(error.to_string()),
            })?;
        let layout: OciLayout = top_file(&store, "oci-layout").map_err(not_layout)?;
        if layout.image_layout_version() != "1.0.0" {
            return Err(not_layout(format!(
                "layout version {:?} is not 1.0.0",
                layout.image_layout_version()
            )));
        }
        let index: ImageIndex = top_file(&store, "index.json").map_err(not_layout)?;
        Ok(Self {
            path: path.to_owned(),
            store,
            index,
        })
    }

    /// The digest of the one image: that of its manifest or image index.
    ///
    /// # Errors
    /// There are several images, or none.
    pub fn digest(&self) -> Result<&Digest, ReadError> {
        Ok(self.root()?.digest())
    }

    /// The full name of the one image, if it has one.
    ///
    /// # Errors
    /// There are several images, or none.
    pub fn name(&self) -> Result<Option<&str>, ReadError> {
        Ok(name_of(self.root()?))
    }

    /// Checks every object that can be reached from index.json.
    #[must_use]
    pub fn verify(&self) -> Verification {
        verify::verify(self)
    }

    /// Describes the one image, down to the entries of its layers.
    ///
    /// # Errors
    /// There are several images, or none, or an object is missing or damaged.
    pub fn inspect(&self) -> Result<Summary, ReadError> {
        inspect::inspect(self)
    }

    /// The descriptor of the one image.
    pub(crate) fn root(&self) -> Result<&Descriptor, ReadError> {
        match &self.index.manifests()[..] {
            [image] => Ok(image),
            images => Err(ReadError::NotOneImage {
                path: self.path.clone(),
                count: images.len(),
            }),
        }
    }

    /// Whether it is a single file, as the tools that load images want it.
    pub(crate) fn is_archive(&self) -> bool {
        matches!(self.store, Store::Archive { .. })
    }

    /// Whether it has what Docker's classic store reads.
    pub(crate) fn has_docker_manifest(&self) -> bool {
        matches!(self.store.file(crate::write::DOCKER_MANIFEST), Ok(Some(_)))
    }

    pub(crate) fn damaged(&self, problem: String) -> ReadError {
        ReadError::Damaged {
            path: self.path.clone(),
            problem,
        }
    }
}

/// A JSON file beside the blobs, which has no descriptor to be checked against.
pub(crate) fn top_file<T: DeserializeOwned>(store: &Store, name: &str) -> Result<T, String> {
    let mut content = match store.file(name) {
        Err(error) => return Err(format!("{name} cannot be read: {error}")),
        Ok(None) => return Err(format!("it has no {name}")),
        Ok(Some(file)) => file,
    };
    if content.size > MAX_DOCUMENT {
        return Err(format!(
            "{name} is {} bytes long, over {MAX_DOCUMENT}",
            content.size
        ));
    }
    let mut bytes = Vec::new();
    content
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{name} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{name} is malformed: {error}"))
}
