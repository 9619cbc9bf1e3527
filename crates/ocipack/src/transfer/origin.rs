//! Where an image comes from: documents and blobs by descriptor.

use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};

use super::{BTreeMap, Location, Platform, Registry, Repository, TransferError, graph, is_index};
use crate::content::{Content, Section};
use crate::digest::Blob;
use crate::graph::{Graph, Walk};
use crate::read::{MAX_DOCUMENT, Source};
use crate::reference::Reference;

/// An image that can be read.
pub(super) struct Origin<'a> {
    name: String,
    root: Descriptor,
    /// The root's bytes, which told what it is.
    document: Vec<u8>,
    place: Place<'a>,
}

enum Place<'a> {
    Local(Arc<Source>),
    Remote {
        repository: Repository<'a>,
        reference: Reference,
    },
}

impl<'a> Origin<'a> {
    pub(super) async fn open(
        registry: &'a Registry,
        location: &Location,
    ) -> Result<Self, TransferError> {
        let name = location.to_string();
        match location {
            Location::Local(path) => {
                let source = Source::open(path)?;
                let root = source.root()?.clone();
                Ok(Self {
                    name,
                    document: source.bytes(&root)?,
                    root,
                    place: Place::Local(Arc::new(source)),
                })
            }
            Location::Remote(reference) => {
                let (root, document) = registry.manifest(reference).await?;
                let full = reference.tag().map(|_| {
                    let shown = reference.to_string();
                    shown.split('@').next().unwrap_or_default().to_owned()
                });
                Ok(Self {
                    name,
                    root: crate::build::named(root, full.as_deref()),
                    document,
                    place: Place::Remote {
                        repository: registry.repository(reference).await?,
                        reference: reference.clone(),
                    },
                })
            }
        }
    }

    /// Turns to one platform of an index.
    pub(super) async fn narrow(&mut self, platform: &Platform) -> Result<(), TransferError> {
        let refuse = |name: &str, problem| TransferError::Refused {
            image: name.to_owned(),
            problem,
        };
        if !is_index(self.root.media_type()) {
            // An image without an index says itself what it is for.
            let found = self.configuration().await?;
            let fits = platform.fits(found.os(), found.architecture(), found.variant().as_deref());
            let problem = format!(
                "is one image, for {}; leave --platform out to take it",
                crate::read::platform(&found)
            );
            return if fits {
                Ok(())
            } else {
                Err(refuse(&self.name, problem))
            };
        }
        let name = crate::build::name_of(&self.root).map(str::to_owned);
        let chosen = graph::select(&self.document, platform)
            .map_err(|problem| refuse(&self.name, problem))?;
        self.root = crate::build::named(chosen, name.as_deref());
        self.document.clear();
        Ok(())
    }

    /// The configuration of the one image that it is.
    async fn configuration(&self) -> Result<ImageConfiguration, TransferError> {
        let refuse = |problem: &dyn std::fmt::Display| TransferError::Refused {
            image: self.name.clone(),
            problem: format!("has no platform: {problem}"),
        };
        let manifest: ImageManifest =
            serde_json::from_slice(&self.document).map_err(|error| refuse(&error))?;
        let config = manifest.config();
        let bytes = match &self.place {
            Place::Local(source) => source.bytes(config)?,
            Place::Remote { .. } if config.size() > MAX_DOCUMENT => {
                return Err(refuse(&"its configuration is too long"));
            }
            Place::Remote { repository, .. } => {
                let mut bytes = std::io::Cursor::new(Vec::new());
                repository.download(config, &mut bytes, &|_| {}).await?;
                bytes.into_inner()
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| refuse(&error))
    }

    pub(super) async fn graph(&self) -> Result<Graph, TransferError> {
        let mut walk = Walk::new(self.root.clone());
        while let Some(descriptor) = walk.next() {
            let bytes = if descriptor.digest() == self.root.digest() && !self.document.is_empty() {
                self.document.clone()
            } else {
                self.bytes(&descriptor).await?
            };
            let digest = descriptor.digest().clone();
            walk.take(descriptor, bytes)
                .map_err(|problem| TransferError::Refused {
                    image: self.name.clone(),
                    problem: format!("is damaged: blob {digest} {problem}"),
                })?;
        }
        Ok(walk.finish())
    }

    async fn bytes(&self, descriptor: &Descriptor) -> Result<Vec<u8>, TransferError> {
        match &self.place {
            Place::Local(source) => Ok(source.bytes(descriptor)?),
            Place::Remote { repository, .. } => {
                let (_, bytes) = repository.manifest(descriptor.digest().as_ref()).await?;
                Ok(bytes)
            }
        }
    }

    /// Checks every blob that is on this machine. Those of a registry are checked on their way.
    pub(super) async fn checked(&self, graph: &Graph) -> Result<(), TransferError> {
        let Place::Local(source) = &self.place else {
            return Ok(());
        };
        let (source, blobs) = (Arc::clone(source), graph.blobs.clone());
        match tokio::task::spawn_blocking(move || check_blobs(&source, &blobs)).await {
            Ok(checked) => checked,
            // A panic goes on here; nobody cancels it.
            Err(error) => resume_unwind(error.into_panic()),
        }
    }

    /// The repository that it comes from, for mounting in another of the same registry.
    pub(super) fn repository(&self) -> Option<&Reference> {
        match &self.place {
            Place::Local(_) => None,
            Place::Remote { reference, .. } => Some(reference),
        }
    }

    /// A blob's bytes; from a registry they come by way of a nameless file in `scratch`.
    pub(super) async fn blob(
        &self,
        descriptor: &Descriptor,
        scratch: &Path,
    ) -> Result<Blob, TransferError> {
        let section = match &self.place {
            Place::Local(source) => source.section(descriptor)?,
            Place::Remote { .. } => {
                let keep = |source| TransferError::Scratch {
                    path: scratch.to_owned(),
                    source,
                };
                let mut file = tempfile::tempfile_in(scratch).map_err(keep)?;
                self.fetch(descriptor, &mut file, &|_| {}).await?;
                Section::whole(file).map_err(keep)?
            }
        };
        Ok(Blob {
            digest: descriptor.digest().clone(),
            content: Content::Section(section),
        })
    }

    /// Downloads a blob into a file, if it comes from a registry.
    pub(super) async fn fetch(
        &self,
        descriptor: &Descriptor,
        file: &mut File,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<(), TransferError> {
        if let Place::Remote { repository, .. } = &self.place {
            repository.download(descriptor, file, moved).await?;
        }
        Ok(())
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote { .. })
    }
}

/// Checks blobs side by side: one after the other leaves all processors but one idle.
fn check_blobs(source: &Source, blobs: &[Descriptor]) -> Result<(), TransferError> {
    let next = AtomicUsize::new(0);
    let check_next = || -> Result<(), TransferError> {
        while let Some(descriptor) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            source.check(descriptor)?;
        }
        Ok(())
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let others = processors.min(blobs.len()).saturating_sub(1);
    thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(check_next)).collect();
        let mut checked = check_next();
        for other in others {
            // A panic goes on here.
            let other = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            checked = checked.and(other);
        }
        checked
    })
}

/// Sizes of a graph's blobs, for telling how much there is to do.
pub(super) fn total(graph: &Graph) -> (usize, u64) {
    let sizes: BTreeMap<_, _> = graph
        .blobs
        .iter()
        .map(|blob| (blob.digest().to_string(), blob.size()))
        .collect();
    (sizes.len(), sizes.values().sum())
}
