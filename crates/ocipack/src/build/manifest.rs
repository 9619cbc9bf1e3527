//! The documents that point: manifests, the image index of several platforms, and index.json,
//! which alone knows the image's name.

use std::collections::{BTreeMap, HashMap};

use oci_spec::OciSpecError;
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageManifest, ImageManifestBuilder, MediaType,
    SCHEMA_VERSION,
};

use crate::digest::Blob;
use crate::name::Name;

/// What `ctr images import` and k3s take the image's name from.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

pub(crate) fn descriptor(media_type: MediaType, blob: &Blob) -> Descriptor {
    Descriptor::new(media_type, blob.size(), blob.digest.clone())
}

pub(crate) fn manifest(
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: &BTreeMap<String, String>,
) -> Result<ImageManifest, OciSpecError> {
    let mut manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()?;
    manifest.set_annotations(some_if_any(annotations));
    Ok(manifest)
}

pub(crate) fn index(
    manifests: Vec<Descriptor>,
    annotations: &BTreeMap<String, String>,
) -> ImageIndex {
    let mut index = ImageIndex::default();
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(manifests);
    index.set_annotations(some_if_any(annotations));
    index
}

/// The layout's index.json: one descriptor, with the name if there is one.
pub(crate) fn layout_index(mut image: Descriptor, name: Option<&Name>) -> ImageIndex {
    if let Some(name) = name {
        let names =
            [ANNOTATION_REF_NAME, CONTAINERD_NAME].map(|key| (key.to_owned(), name.to_string()));
        image.set_annotations(Some(HashMap::from(names)));
    }
    index(vec![image], &BTreeMap::new())
}

fn some_if_any(annotations: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!annotations.is_empty()).then(|| annotations.clone().into_iter().collect())
}
