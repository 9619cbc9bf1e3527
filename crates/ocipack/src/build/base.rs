//! The image below: its layers are taken as they are, its configuration is built upon.

use std::collections::BTreeMap;

use oci_spec::image::{
    ANNOTATION_BASE_IMAGE_DIGEST, ANNOTATION_BASE_IMAGE_NAME, ImageConfiguration, MediaType, Os,
};

use serde_json::{Map, Value};

use super::below::Below;
use super::config;
use super::spec::BaseSpec;
use crate::compression::Format;
use crate::content::Content;
use crate::digest::Blob;
use crate::platform::Platform;
use crate::read::{Image, ReadError, Source};

/// Why an image cannot be built upon another.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It cannot be read, is not one image, or is damaged.
    #[error("base image: {0}")]
    Read(#[from] ReadError),
    /// It lacks a platform that is built.
    #[error(
        "base image {path} is not there for {platform} (it is for {found}); leave that --binary out or take another base"
    )]
    Platform {
        /// The layout or archive.
        path: String,
        /// What is built.
        platform: Platform,
        /// What there is.
        found: String,
    },
}

/// An opened base image.
pub(crate) struct Base {
    source: Source,
    images: Vec<Image>,
    annotations: BTreeMap<String, String>,
}

/// What one platform's image takes from its base.
pub(crate) struct BaseImage {
    pub(crate) config: ImageConfiguration,
    /// What the configuration has beyond the specification.
    pub(crate) dockers: Map<String, Value>,
    pub(crate) layers: Vec<(MediaType, Blob)>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// The folders that its layers make.
    pub(crate) folders: Below,
}

impl Base {
    pub(crate) fn open(spec: &BaseSpec) -> Result<Self, BaseError> {
        let source = Source::open(&spec.path)?;
        let images = source.images()?;
        let digest = source.digest()?.to_string();
        let mut annotations = BTreeMap::from([(ANNOTATION_BASE_IMAGE_DIGEST.to_owned(), digest)]);
        let name = spec
            .name
            .as_deref()
            .map_or_else(|| source.name(), |name| Ok(Some(name)))?;
        if let Some(name) = name {
            annotations.insert(ANNOTATION_BASE_IMAGE_NAME.to_owned(), name.to_owned());
        }
        Ok(Self {
            source,
            images,
            annotations,
        })
    }

    /// The base of one platform, every byte of its layers checked.
    pub(crate) fn image(&self, platform: &Platform) -> Result<BaseImage, BaseError> {
        let fits = |image: &&Image| {
            let Some(config) = &image.config else {
                return false;
            };
            let variant = config.variant().as_deref();
            *config.os() == Os::Linux
                && config.architecture().to_string() == platform.architecture()
                && (variant == platform.variant()
                    || variant.is_none()
                    || platform.variant().is_none())
        };
        let found = self.images.iter().find(fits);
        let found = found.and_then(|image| Some((image, image.config.clone()?)));
        let Some((image, config)) = found else {
            let found: Vec<String> = self.images.iter().map(Image::platform).collect();
            return Err(BaseError::Platform {
                path: self.source.path.display().to_string(),
                platform: platform.clone(),
                found: found.join(", "),
            });
        };
        let damaged = |error: serde_json::Error| self.source.damaged(error.to_string());
        let document = self.source.bytes(image.document.config())?;
        let document = serde_json::from_slice(&document).map_err(damaged)?;
        let (mut layers, mut folders) = (Vec::new(), Below::default());
        for descriptor in image.document.layers() {
            let damaged = |problem| {
                self.source
                    .damaged(format!("layer {} {problem}", descriptor.digest()))
            };
            let format = Format::of(descriptor.media_type()).map_err(damaged)?;
            let section = self.source.section(descriptor)?;
            let unreadable = |error: std::io::Error| damaged(error.to_string());
            let read = folders.layer(section.clone(), format).map_err(unreadable)?;
            let found = read.digest;
            if found != *descriptor.digest() {
                return Err(damaged(format!("has the content of {found}")).into());
            }
            read.uncompressed
                .map_err(|error| damaged(format!("is not a valid layer: {error}")))?;
            let content = Content::Section(section);
            layers.push((
                format.media_type(),
                Blob {
                    digest: found,
                    content,
                },
            ));
        }
        Ok(BaseImage {
            config,
            dockers: config::dockers(&document),
            layers,
            annotations: self.annotations.clone(),
            folders,
        })
    }
}
