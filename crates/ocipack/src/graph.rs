//! Everything that one descriptor leads to: indexes and manifests, whose bytes are needed to go
//! on, and the configurations and layers at their ends.
//!
//! The walk says which document it needs next and does not care where it comes from.

use std::collections::{BTreeMap, HashSet};

use oci_spec::image::{Descriptor, Digest, DigestAlgorithm, ImageIndex, ImageManifest};

use crate::digest::{Blob, digest_of};
use crate::platform::Platform;
use crate::read::{MAX_DOCUMENT, is_attestation, is_config, is_index, is_manifest};
use crate::write::DockerImage;

/// Image indexes within image indexes.
const MAX_DEPTH: usize = 4;
/// Indexes and manifests of one image.
const MAX_DOCUMENTS: usize = 1000;

/// An image's objects, without the bytes of configurations and layers.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) root: Descriptor,
    /// Indexes and manifests, each after all that it leads to: the order in which to write them.
    pub(crate) documents: Vec<(Descriptor, Blob)>,
    /// Configurations and layers, each once.
    pub(crate) blobs: Vec<Descriptor>,
    /// The configuration and layers, if it is of one platform.
    pub(crate) docker: Option<DockerImage>,
}

/// A walk that has not seen everything yet.
pub(crate) struct Walk {
    root: Descriptor,
    pending: Vec<(Descriptor, usize)>,
    depth: usize,
    seen: HashSet<String>,
    documents: Vec<(Descriptor, Blob)>,
    blobs: BTreeMap<String, Descriptor>,
    images: Vec<DockerImage>,
}

impl Walk {
    pub(crate) fn new(root: Descriptor) -> Self {
        Self {
            pending: vec![(root.clone(), 0)],
            root,
            depth: 0,
            seen: HashSet::new(),
            documents: Vec::new(),
            blobs: BTreeMap::new(),
            images: Vec::new(),
        }
    }

    /// The document to be given to [`Walk::take`] next; none when everything was seen.
    pub(crate) fn next(&mut self) -> Option<Descriptor> {
        loop {
            let (descriptor, depth) = self.pending.pop()?;
            if self.seen.insert(descriptor.digest().to_string()) {
                self.depth = depth;
                return Some(descriptor);
            }
        }
    }

    /// Goes on from a document.
    ///
    /// # Errors
    /// It is not what its descriptor says, is malformed, or leads too far.
    pub(crate) fn take(&mut self, descriptor: Descriptor, bytes: Vec<u8>) -> Result<(), String> {
        check(&descriptor, &bytes)?;
        if self.documents.len() >= MAX_DOCUMENTS {
            return Err(format!("is one of more than {MAX_DOCUMENTS} documents"));
        }
        let malformed = |error| format!("is not a valid {}: {error}", descriptor.media_type());
        if is_index(descriptor.media_type()) {
            let index: ImageIndex = serde_json::from_slice(&bytes).map_err(malformed)?;
            if self.depth >= MAX_DEPTH {
                return Err("is an index in an index in an index, too deep".into());
            }
            let children = index.manifests().iter().cloned();
            self.pending
                .extend(children.map(|child| (child, self.depth + 1)));
        } else if is_manifest(descriptor.media_type()) {
            let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(malformed)?;
            for blob in manifest.layers().iter().chain([manifest.config()]) {
                check_algorithm(blob)?;
                self.blobs.insert(blob.digest().to_string(), blob.clone());
            }
            if is_config(manifest.config().media_type()) && !is_attestation(&descriptor) {
                self.images.push(DockerImage::of(&manifest));
            }
        } else {
            let problem = "is of media type {}, neither an image nor an image index";
            return Err(problem.replace("{}", descriptor.media_type().as_ref()));
        }
        self.documents.push((descriptor, Blob::new(bytes)));
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Graph {
        // Parents were taken before their children.
        self.documents.reverse();
        let docker = match &self.images[..] {
            [image] => Some(image.clone()),
            // There is no place for platforms.
            _ => None,
        };
        Graph {
            root: self.root,
            documents: self.documents,
            blobs: self.blobs.into_values().collect(),
            docker,
        }
    }
}

/// The image of one platform in an index.
///
/// # Errors
/// It is malformed, or has no such platform.
pub(crate) fn select(index: &[u8], platform: &Platform) -> Result<Descriptor, String> {
    let index: ImageIndex = serde_json::from_slice(index)
        .map_err(|error| format!("is not a valid image index: {error}"))?;
    let images = || {
        let manifests = index.manifests().iter();
        manifests.filter(|descriptor| !is_attestation(descriptor))
    };
    let fits = |descriptor: &&Descriptor| {
        descriptor.platform().as_ref().is_some_and(|found| {
            platform.fits(found.os(), found.architecture(), found.variant().as_deref())
        })
    };
    if let Some(found) = images().find(fits) {
        return Ok(found.clone());
    }
    let found: Vec<String> = images()
        .filter_map(|descriptor| descriptor.platform().as_ref())
        .map(|platform| format!("{}/{}", platform.os(), platform.architecture()))
        .collect();
    Err(format!(
        "has no image for {platform}; there is {}",
        found.join(", ")
    ))
}

fn check(descriptor: &Descriptor, bytes: &[u8]) -> Result<(), String> {
    check_algorithm(descriptor)?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(format!("is over {MAX_DOCUMENT} bytes long"));
    }
    if bytes.len() as u64 != descriptor.size() {
        return Err(format!(
            "is {} bytes long, its descriptor says {}",
            bytes.len(),
            descriptor.size()
        ));
    }
    let found: Digest = digest_of(bytes).map_err(|error| error.to_string())?;
    if found != *descriptor.digest() {
        return Err(format!("has the content of {found}"));
    }
    Ok(())
}

fn check_algorithm(descriptor: &Descriptor) -> Result<(), String> {
    if *descriptor.digest().algorithm() == DigestAlgorithm::Sha256 {
        Ok(())
    } else {
        Err(format!(
            "has the digest {}, which is not sha256 and cannot be checked here",
            descriptor.digest()
        ))
    }
}
