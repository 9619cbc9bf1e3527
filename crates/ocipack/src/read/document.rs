//! JSON documents by descriptor: bounded, and of exactly the size and digest that were promised.

use std::io::Read;

use oci_spec::image::{Descriptor, DigestAlgorithm};
use serde::de::DeserializeOwned;

use super::store::Store;
use crate::digest::{Blob, blob_path};

/// Bytes of a manifest, configuration or index; registries take no more either
/// (distribution-spec, "Pushing Manifests").
pub(crate) const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// A blob's content stream, if a blob of the promised size is there.
pub(crate) fn open_blob<'a>(
    store: &'a Store,
    descriptor: &Descriptor,
) -> Result<Box<dyn Read + 'a>, String> {
    // Other algorithms are not checked, so a blob of one would pass unseen; it also keeps the path harmless.
    if *descriptor.digest().algorithm() != DigestAlgorithm::Sha256 {
        return Err("has a digest that is not sha256, which cannot be checked here".into());
    }
    match store.file(&blob_path(descriptor.digest())) {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(None) => Err("is missing".into()),
        Ok(Some((size, _))) if size != descriptor.size() => Err(format!(
            "is {size} bytes long, its descriptor says {}",
            descriptor.size()
        )),
        Ok(Some((_, content))) => Ok(content),
    }
}

/// The document that a descriptor points to.
pub(crate) fn read_document<T: DeserializeOwned>(
    store: &Store,
    descriptor: &Descriptor,
) -> Result<T, String> {
    if descriptor.size() > MAX_DOCUMENT {
        return Err(format!(
            "is {} bytes long, over the {MAX_DOCUMENT} of a document",
            descriptor.size()
        ));
    }
    let mut bytes = Vec::new();
    open_blob(store, descriptor)?
        .take(MAX_DOCUMENT)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    let blob = Blob::new(bytes);
    if blob.digest != *descriptor.digest() {
        return Err(format!("has the content of {}", blob.digest));
    }
    serde_json::from_slice(&blob.bytes)
        .map_err(|error| format!("is not a valid {}: {error}", descriptor.media_type()))
}
