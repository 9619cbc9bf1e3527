//! The images that a descriptor leads to: itself, or those of an image index.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::document::{open_blob, read_bytes, read_document};
use super::source::{ReadError, Source};
use crate::build::ARTIFACT_CONTENT;
use crate::compression::Format;
use crate::content::Section;
use crate::digest::digest_of;
use crate::platform::Platform;

/// Image indexes within image indexes.
const MAX_DEPTH: usize = 4;
/// What stands for the platform of what does not run.
pub(crate) const ARTIFACT: &str = "(artifact)";
/// Platforms of one image.
const MAX_IMAGES: usize = 256;
/// Docker's forms of the documents, which registries still hold
/// (<https://distribution.github.io/distribution/spec/manifest-v2-2/>).
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST_TYPE: &str =
    "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// One platform's documents.
pub(crate) struct Image {
    pub(crate) manifest: Descriptor,
    pub(crate) document: ImageManifest,
    /// Of what runs; an artifact has none.
    pub(crate) config: Option<ImageConfiguration>,
}

impl Image {
    /// `os/architecture[/variant]`.
    pub(crate) fn platform(&self) -> String {
        let config = self.config.as_ref();
        config.map_or_else(|| ARTIFACT.to_owned(), platform)
    }

    /// How a layer is packed; nothing of an artifact's layer that is no tar.
    pub(crate) fn format(&self, layer: &Descriptor) -> Result<Option<Format>, String> {
        match Format::of(layer.media_type()) {
            _ if layer.media_type().as_ref() == ARTIFACT_CONTENT => Ok(Some(Format::Gzip)),
            Err(_) if self.config.is_none() => Ok(None),
            known => known.map(Some),
        }
    }

    /// Whether it is for this platform.
    pub(crate) fn fits(&self, platform: &Platform) -> bool {
        self.config.as_ref().is_some_and(|config| {
            platform.fits(
                config.os(),
                config.architecture(),
                config.variant().as_deref(),
            )
        })
    }
}

impl Source {
    /// The documents of every platform of the one image.
    pub(crate) fn images(&self) -> Result<Vec<Image>, ReadError> {
        let mut images = Vec::new();
        self.add_images(self.root()?, 0, &mut images)?;
        Ok(images)
    }

    fn add_images(
        &self,
        descriptor: &Descriptor,
        depth: usize,
        images: &mut Vec<Image>,
    ) -> Result<(), ReadError> {
        if is_attestation(descriptor) {
            return Ok(());
        }
        if is_index(descriptor.media_type()) {
            if depth > MAX_DEPTH {
                return Err(self.damaged("an index in an index in an index, too deep".into()));
            }
            let index: ImageIndex = self.document(descriptor)?;
            let mut manifests = index.manifests().iter();
            return manifests.try_for_each(|inner| self.add_images(inner, depth + 1, images));
        }
        if images.len() == MAX_IMAGES {
            return Err(self.damaged(format!("over {MAX_IMAGES} platforms")));
        }
        let document: ImageManifest = self.document(descriptor)?;
        let config = document.config();
        let config = if is_config(config.media_type()) {
            Some(self.document(config)?)
        } else {
            None
        };
        images.push(Image {
            manifest: descriptor.clone(),
            document,
            config,
        });
        Ok(())
    }

    /// Compares a blob's bytes with its digest.
    pub(crate) fn check(&self, descriptor: &Descriptor) -> Result<(), ReadError> {
        let digest = descriptor.digest();
        let problem = match digest_of(self.section(descriptor)?) {
            Ok(found) if found == *digest => return Ok(()),
            Ok(found) => format!("has the content of {found}"),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(self.damaged(format!("blob {digest} {problem}")))
    }

    /// A blob of the promised size; its bytes are not checked yet.
    pub(crate) fn section(&self, descriptor: &Descriptor) -> Result<Section, ReadError> {
        open_blob(&self.store, descriptor)
            .map_err(|problem| self.damaged(format!("blob {} {problem}", descriptor.digest())))
    }

    /// A document's bytes, checked.
    pub(crate) fn bytes(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ReadError> {
        read_bytes(&self.store, descriptor)
            .map_err(|problem| self.damaged(format!("blob {} {problem}", descriptor.digest())))
    }

    fn document<T: serde::de::DeserializeOwned>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<T, ReadError> {
        read_document(&self.store, descriptor)
            .map_err(|problem| self.damaged(format!("blob {} {problem}", descriptor.digest())))
    }
}

pub(crate) fn is_index(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageIndex || media_type.as_ref() == DOCKER_LIST
}

pub(crate) fn is_manifest(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageManifest || media_type.as_ref() == DOCKER_MANIFEST_TYPE
}

/// Whether it is the configuration of something that runs, not of an artifact.
pub(crate) fn is_config(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageConfig || media_type.as_ref() == DOCKER_CONFIG
}

/// Whether a descriptor is of a statement about an image, not of an image
/// (<https://docs.docker.com/build/metadata/attestations/attestation-storage/>).
pub(crate) fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor
        .annotations()
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"))
}

/// `os/architecture[/variant]` of a configuration.
pub(crate) fn platform(config: &ImageConfiguration) -> String {
    let variant = config
        .variant()
        .as_ref()
        .map(|variant| format!("/{variant}"))
        .unwrap_or_default();
    format!("{}/{}{variant}", config.os(), config.architecture())
}
