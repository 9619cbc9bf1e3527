//! What a registry's image consists of, without fetching its layers.

use oci_spec::image::{ImageConfiguration, ImageManifest};

use super::{Registry, TransferError};
use crate::graph::Walk;
use crate::read::{
    ARTIFACT, ImageSummary, LayerSummary, MAX_DOCUMENT, Summary, index_annotations, is_attestation,
    is_config, is_manifest, sorted,
};
use crate::reference::Reference;
use crate::registry::RegistryError;

impl Registry {
    /// Describes a registry's image as its manifests and configurations do.
    ///
    /// # Errors
    /// It is not there, or an object is missing or malformed.
    pub async fn inspect(&self, reference: &Reference) -> Result<Summary, TransferError> {
        let (root, document) = self.manifest(reference).await?;
        let repository = self.repository(reference).await?;
        let refuse = |problem: String| RegistryError::Content {
            what: reference.to_string(),
            problem,
        };
        let mut walk = Walk::new(root.clone());
        let mut images = Vec::new();
        while let Some(descriptor) = walk.next() {
            let bytes = if descriptor.digest() == root.digest() {
                document.clone()
            } else {
                repository.manifest(descriptor.digest().as_ref()).await?.1
            };
            if is_manifest(descriptor.media_type()) && !is_attestation(&descriptor) {
                let manifest: ImageManifest =
                    serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
                let digest = descriptor.digest().to_string();
                images.push(self.summarize(reference, digest, &manifest).await?);
            }
            walk.take(descriptor, bytes).map_err(refuse)?;
        }
        // The walk takes the last first.
        images.reverse();
        Ok(Summary {
            name: Some(reference.to_string()),
            digest: root.digest().to_string(),
            annotations: index_annotations(&document),
            images,
        })
    }

    async fn summarize(
        &self,
        reference: &Reference,
        digest: String,
        manifest: &ImageManifest,
    ) -> Result<ImageSummary, TransferError> {
        let mut config = None;
        if is_config(manifest.config().media_type()) {
            let bytes = self
                .blob(reference, manifest.config(), MAX_DOCUMENT)
                .await?;
            let parsed: ImageConfiguration =
                serde_json::from_slice(&bytes).map_err(|error| RegistryError::Content {
                    what: reference.to_string(),
                    problem: format!("the configuration is malformed: {error}"),
                })?;
            config = Some(parsed);
        }
        let layers = manifest.layers().iter().map(|layer| LayerSummary {
            digest: layer.digest().to_string(),
            media_type: layer.media_type().to_string(),
            size: layer.size(),
            uncompressed_size: None,
            entries: None,
            entries_omitted: 0,
        });
        Ok(ImageSummary {
            platform: config
                .as_ref()
                .map_or_else(|| ARTIFACT.to_owned(), crate::read::platform),
            digest,
            created: config.as_ref().and_then(|config| config.created().clone()),
            config: config.as_ref().and_then(|config| config.config().clone()),
            annotations: sorted(manifest.annotations().as_ref()),
            layers: layers.collect(),
        })
    }
}
