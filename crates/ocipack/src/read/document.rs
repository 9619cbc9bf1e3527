//! JSON documents by descriptor: bounded, and of exactly the size and digest that were promised.

use std::io::Read;

use oci_spec::image::{Descriptor, DigestAlgorithm};
use serde::de::DeserializeOwned;

use super::store::Store;
use crate::content::Section;
use crate::digest::{blob_path, digest_of};

/// Bytes of a manifest, configuration or index; registries take no more either
/// (distribution-spec, "Pushing Manifests").
pub(crate) const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// A blob's content, if a blob of the promised size is there.
pub(crate) fn open_blob(store: &Store, descriptor: &Descriptor) -> Result<Section, String> {
    // Other algorithms are not checked, so a blob of one would pass unseen; it also keeps the path harmless.
    if *descriptor.digest().algorithm() != DigestAlgorithm::Sha256 {
        return Err("has a digest that is not sha256, which cannot be checked here".into());
    }
    match store.file(&blob_path(descriptor.digest())) {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(None) => Err("is missing".into()),
        Ok(Some(section)) if section.size != descriptor.size() => Err(format!(
            "is {} bytes long, its descriptor says {}",
            section.size,
            descriptor.size()
        )),
        Ok(Some(section)) => Ok(section),
    }
}

/// The bytes of the document that a descriptor points to, checked.
pub(crate) fn read_bytes(store: &Store, descriptor: &Descriptor) -> Result<Vec<u8>, String> {
    if descriptor.size() > MAX_DOCUMENT {
        return Err(format!(
            "is {} bytes long, over the {MAX_DOCUMENT} of a document",
            descriptor.size()
        ));
    }
    let mut bytes = Vec::new();
    open_blob(store, descriptor)?
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    let found = digest_of(&bytes[..]).map_err(|error| error.to_string())?;
    if found != *descriptor.digest() {
        return Err(format!("has the content of {found}"));
    }
    Ok(bytes)
}

/// The document that a descriptor points to.
pub(crate) fn read_document<T: DeserializeOwned>(
    store: &Store,
    descriptor: &Descriptor,
) -> Result<T, String> {
    serde_json::from_slice(&read_bytes(store, descriptor)?)
        .map_err(|error| format!("is not a valid {}: {error}", descriptor.media_type()))
}
