//! What belongs to an image and is not in it, such as an SBOM: a manifest of its own in the same
//! repository that refers to the image (image-spec, manifest.md, "Guidelines for Artifact Usage").

use std::collections::BTreeMap;

use oci_spec::image::{
    Descriptor, Digest, ImageManifest, ImageManifestBuilder, MediaType, SCHEMA_VERSION,
};
use serde::Serialize;

use super::{Registry, Repository, TransferError};
use crate::digest::Blob;
use crate::read::is_manifest;
use crate::reference::Reference;
use crate::registry::{Gate, RegistryError};

/// Bytes of an attached file.
const MAX_CONTENT: u64 = 64 * 1024 * 1024;

/// A file to attach.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// What it is, such as `application/vnd.cyclonedx+json`.
    pub artifact_type: String,
    /// The file's bytes.
    pub content: Vec<u8>,
    /// Annotations, which the registry lists too.
    pub annotations: BTreeMap<String, String>,
}

/// What refers to an image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// The digest of its manifest, in the image's repository.
    pub digest: String,
    /// What it is.
    pub artifact_type: Option<String>,
    /// What it says about itself.
    pub annotations: BTreeMap<String, String>,
}

impl Registry {
    /// Attaches a file to an image that is in a registry; returns the manifest's digest. The
    /// same file is attached once only.
    ///
    /// # Errors
    /// The image is not there, or the registry does not take it.
    pub async fn attach(
        &self,
        reference: &Reference,
        attachment: &Attachment,
    ) -> Result<Digest, TransferError> {
        let (subject, _) = self.manifest(reference).await?;
        let repository = self.repository(reference).await?;
        let artifact_type = MediaType::from(attachment.artifact_type.as_str());
        let config = Blob::new(b"{}".to_vec());
        let content = Blob::new(attachment.content.clone());
        let mut descriptors = Vec::new();
        for (blob, media_type) in [
            (&config, MediaType::EmptyJSON),
            (&content, artifact_type.clone()),
        ] {
            put_blob(&repository, blob).await?;
            descriptors.push(Descriptor::new(
                media_type,
                blob.size(),
                blob.digest.clone(),
            ));
        }
        let malformed = |error: &dyn std::fmt::Display| RegistryError::Content {
            what: format!("the attachment to {reference}"),
            problem: error.to_string(),
        };
        let mut manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .artifact_type(artifact_type.clone())
            .config(descriptors.remove(0))
            .layers(descriptors)
            .subject(Descriptor::new(
                subject.media_type().clone(),
                subject.size(),
                subject.digest().clone(),
            ))
            .build()
            .map_err(|error| malformed(&error))?;
        let annotations = attachment.annotations.clone().into_iter().collect();
        let annotations =
            Some(annotations).filter(|all: &std::collections::HashMap<_, _>| !all.is_empty());
        manifest.set_annotations(annotations.clone());
        let document = Blob::json(&manifest).map_err(|error| malformed(&error))?;
        let mut descriptor = Descriptor::new(
            MediaType::ImageManifest,
            document.size(),
            document.digest.clone(),
        );
        descriptor.set_artifact_type(Some(artifact_type));
        descriptor.set_annotations(annotations);
        repository
            .put_referrer(&descriptor, &document, subject.digest())
            .await?;
        Ok(document.digest)
    }

    /// What refers to an image, and the image's digest.
    ///
    /// # Errors
    /// The image is not there, or the registry does not answer as it should.
    pub async fn referrers(
        &self,
        reference: &Reference,
    ) -> Result<(Digest, Vec<Referrer>), TransferError> {
        let (subject, _) = self.manifest(reference).await?;
        let repository = self.repository(reference).await?;
        let mut found = repository.referrers(subject.digest()).await?;
        for descriptor in &mut found {
            // Some registries list the configuration's type, which says nothing here.
            if matches!(
                descriptor.artifact_type(),
                None | Some(MediaType::EmptyJSON)
            ) {
                let target = descriptor.digest().to_string();
                let document = match repository.manifest(&target).await {
                    Ok((_, document)) => document,
                    // It was deleted, and is still listed.
                    Err(error) if error.status() == Some(404) => continue,
                    Err(error) => return Err(error.into()),
                };
                let manifest = serde_json::from_slice::<ImageManifest>(&document).ok();
                let own = manifest.and_then(|manifest| manifest.artifact_type().clone());
                descriptor.set_artifact_type(own);
            }
        }
        let referrers = found.iter().map(|descriptor| Referrer {
            digest: descriptor.digest().to_string(),
            artifact_type: descriptor.artifact_type().as_ref().map(ToString::to_string),
            annotations: descriptor
                .annotations()
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
        });
        Ok((subject.digest().clone(), referrers.collect()))
    }

    /// The file that a referrer brings, by the referrer's digest.
    ///
    /// # Errors
    /// It is not there, is damaged, or is no attachment of one file.
    pub async fn attached(&self, referrer: &Reference) -> Result<Vec<u8>, TransferError> {
        let refuse = |problem: String| TransferError::Refused {
            image: referrer.to_string(),
            problem,
        };
        let (root, document) = self.manifest(referrer).await?;
        if !is_manifest(root.media_type()) {
            return Err(refuse(format!(
                "is of {}, no attachment",
                root.media_type()
            )));
        }
        let manifest: ImageManifest = serde_json::from_slice(&document)
            .map_err(|error| refuse(format!("is not a valid manifest: {error}")))?;
        let [content] = &manifest.layers()[..] else {
            let count = manifest.layers().len();
            return Err(refuse(format!("has {count} files where one is expected")));
        };
        Ok(self.blob(referrer, content, MAX_CONTENT).await?)
    }
}

/// Uploads a blob that is not there yet.
pub(super) async fn put_blob(
    repository: &Repository<'_>,
    blob: &Blob,
) -> Result<(), RegistryError> {
    if repository.has_blob(&blob.digest).await? {
        return Ok(());
    }
    repository.upload(blob, &Gate::open(), &|_| {}).await?;
    Ok(())
}
