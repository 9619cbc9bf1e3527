//! The documents that point: manifests, the image index of several platforms, and index.json,
//! which alone knows the image's name.

use std::collections::{BTreeMap, HashMap};

use oci_spec::OciSpecError;
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageManifest, ImageManifestBuilder, MediaType,
    SCHEMA_VERSION,
};

/// What `ctr images import` and k3s take the image's name from.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

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

/// A layout's descriptor of an image under a name, or under none.
pub(crate) fn named(mut image: Descriptor, name: Option<&str>) -> Descriptor {
    let mut annotations = image.annotations().clone().unwrap_or_default();
    for key in [ANNOTATION_REF_NAME, CONTAINERD_NAME] {
        match name {
            Some(name) => annotations.insert(key.to_owned(), name.to_owned()),
            None => annotations.remove(key),
        };
    }
    image.set_annotations((!annotations.is_empty()).then_some(annotations));
    image
}

/// The name that a layout's descriptor gives its image.
pub(crate) fn name_of(image: &Descriptor) -> Option<&str> {
    let annotations = image.annotations().as_ref()?;
    // Other tools put a bare tag into the second.
    let name = annotations.get(CONTAINERD_NAME);
    name.or_else(|| annotations.get(ANNOTATION_REF_NAME))
        .map(String::as_str)
}

fn some_if_any(annotations: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!annotations.is_empty()).then(|| annotations.clone().into_iter().collect())
}
