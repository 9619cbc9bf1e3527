//! The images that a descriptor leads to: itself, or those of an image index.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::document::read_document;
use super::source::{ReadError, Source};

/// Platforms of one image.
const MAX_IMAGES: usize = 256;

/// One platform's documents.
pub(crate) struct Image {
    pub(crate) manifest: Descriptor,
    pub(crate) document: ImageManifest,
    pub(crate) config: ImageConfiguration,
}

impl Source {
    /// The documents of every platform of the one image.
    pub(crate) fn images(&self) -> Result<Vec<Image>, ReadError> {
        let root = self.root()?;
        let manifests = match root.media_type() {
            MediaType::ImageIndex => self.document::<ImageIndex>(root)?.manifests().clone(),
            _ => vec![root.clone()],
        };
        if manifests.len() > MAX_IMAGES {
            return Err(self.damaged(format!("{} platforms, over {MAX_IMAGES}", manifests.len())));
        }
        manifests
            .into_iter()
            .map(|manifest| {
                let document: ImageManifest = self.document(&manifest)?;
                let config = self.document(document.config())?;
                Ok(Image {
                    manifest,
                    document,
                    config,
                })
            })
            .collect()
    }

    fn document<T: serde::de::DeserializeOwned>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<T, ReadError> {
        read_document(&self.store, descriptor)
            .map_err(|problem| self.damaged(format!("blob {} {problem}", descriptor.digest())))
    }
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
