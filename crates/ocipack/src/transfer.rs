//! Images from anywhere to anywhere: layouts, archives and registries.
//!
//! Every byte is checked against its digest on the way. Nothing names a new image before all of
//! it is there: tags come after digests, and index.json after blobs.

mod against;
mod artifact;
mod attach;
mod inspect;
mod origin;
mod signature;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use oci_spec::image::Digest;

pub use artifact::Artifact;
pub use attach::{Attachment, Referrer};
pub use signature::{Form, Signatures, Signed};

use crate::graph;
use crate::platform::Platform;
use crate::read::{ReadError, is_index};
use crate::reference::Reference;
use crate::registry::{Registry, RegistryError, Repository};
use crate::sign::KeyError;
use crate::write::WriteError;
use origin::Origin;

/// Where an image is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A layout directory or, with a name that ends in `.tar`, an archive.
    Local(PathBuf),
    /// A registry.
    Remote(Reference),
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    /// What reads as a reference with a tag or digest is one; a path that would read so too is
    /// written with `./` before it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text
            .parse()
            .map_or_else(|_| Self::Local(text.into()), Self::Remote))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(formatter),
            Self::Remote(reference) => reference.fmt(formatter),
        }
    }
}

/// Why an image was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The local image cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The image cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The image is not what it says, or not what was asked for.
    #[error("{image} {problem}; nothing was changed")]
    Refused {
        /// Where it is.
        image: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be signed.
    #[error("cannot sign: {0}")]
    Sign(#[from] KeyError),
    /// There is no room or right for what is on its way.
    #[error("cannot keep a blob on its way in {}: {source}", path.display())]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// What writing there said.
        source: std::io::Error,
    },
}

/// What is told while an image is moved. Sizes are in bytes.
pub trait Progress: Sync {
    /// So much is going to be moved.
    fn total(&self, _blobs: usize, _bytes: u64) {}
    /// Some of it was.
    fn moved(&self, _bytes: u64) {}
    /// A blob is where it belongs.
    fn blob(&self, _digest: &Digest, _size: u64, _how: Moved) {}
    /// A tag points to the image.
    fn tagged(&self, _reference: &Reference) {}
}

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Its bytes were moved.
    Copied,
    /// It was there before.
    Exists,
    /// The registry took it over from another repository.
    Mounted,
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {}

/// What moving an image came to.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Transferred {
    /// The digest of the manifest or image index.
    pub digest: String,
    /// Where the image is now.
    pub locations: Vec<String>,
    /// Blobs that were copied, were there, and were mounted.
    pub copied: usize,
    /// See `copied`.
    pub existing: usize,
    /// See `copied`.
    pub mounted: usize,
}

impl Registry {
    /// Copies an image, of one platform only if one is given.
    ///
    /// # Errors
    /// It cannot be read or is damaged (then nothing was changed), or cannot be written: then
    /// blobs may be there, and the next run goes on from them.
    pub async fn copy(
        &self,
        from: &Location,
        to: &[Location],
        platform: Option<&Platform>,
        progress: &dyn Progress,
    ) -> Result<Transferred, TransferError> {
        let mut origin = Origin::open(self, from).await?;
        if let Some(platform) = platform {
            origin.narrow(platform).await?;
        }
        let graph = origin.graph().await?;
        let digest = graph.root.digest().clone();
        for location in to {
            if let Location::Remote(reference) = location
                && reference.digest().is_some_and(|wanted| *wanted != digest)
            {
                return Err(TransferError::Refused {
                    image: from.to_string(),
                    problem: format!("has the digest {digest}, not that of {reference}"),
                });
            }
        }
        let tally = Tally::new(progress);
        let remote: Vec<&Reference> = to
            .iter()
            .filter_map(|location| match location {
                Location::Remote(reference) => Some(reference),
                Location::Local(_) => None,
            })
            .collect();
        if remote.is_empty() {
            origin.checked(&graph).await?;
        } else {
            target::push(self, &origin, &graph, &remote, &tally).await?;
        }
        for location in to {
            if let Location::Local(path) = location {
                target::pull(self, &origin, &graph, path, &tally).await?;
            }
        }
        Ok(tally.finish(&digest, to))
    }
}

/// Counts what is moved while it is told.
struct Tally<'a> {
    progress: &'a dyn Progress,
    counts: std::sync::Mutex<[usize; 3]>,
}

impl<'a> Tally<'a> {
    fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            counts: std::sync::Mutex::default(),
        }
    }

    fn blob(&self, digest: &Digest, size: u64, how: Moved) {
        let mut counts = self
            .counts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        counts[how as usize] += 1;
        if how != Moved::Copied {
            self.progress.moved(size);
        }
        self.progress.blob(digest, size, how);
    }

    fn finish(self, digest: &Digest, to: &[Location]) -> Transferred {
        let counts = self.counts.into_inner();
        let [copied, existing, mounted] = counts.unwrap_or_else(std::sync::PoisonError::into_inner);
        Transferred {
            digest: digest.to_string(),
            locations: to.iter().map(ToString::to_string).collect(),
            copied,
            existing,
            mounted,
        }
    }
}
