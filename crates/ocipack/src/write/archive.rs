//! The single-file archive: a layout in a tar, its members sorted by name, and for one platform
//! the manifest.json of the classic `docker load`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::{
    DockerImage, Folder, Layout, OCI_LAYOUT, OUTPUT_MODE, Tape, WriteError, parent, persist,
    temporary,
};
use crate::content::Content;
use crate::digest::{Blob, blob_path};
use crate::read::Source;

pub(crate) const DOCKER_MANIFEST: &str = "manifest.json";

pub(super) fn write(layout: &Layout, file: &Path) -> Result<(), WriteError> {
    check_target(file)?;
    let write = || {
        let mut temporary = temporary(parent(file))?;
        pack(layout, temporary.as_file_mut())?;
        persist(temporary, file)
    };
    write().map_err(|source| WriteError::io(file, source))
}

/// Writes the archive's members and the directories of the blobs as a tar.
pub(super) fn pack(layout: &Layout, file: &mut File) -> io::Result<()> {
    let mut members: BTreeMap<String, Content> = BTreeMap::new();
    for blob in layout.blobs.0.values() {
        members.insert(blob_path(&blob.digest), blob.content.clone());
    }
    if let Some(image) = &layout.docker {
        let manifest = docker_manifest(layout.name(), image)?;
        members.insert(DOCKER_MANIFEST.into(), manifest.content);
    }
    members.insert("index.json".into(), layout.index()?.content);
    members.insert("oci-layout".into(), OCI_LAYOUT.as_bytes().to_vec().into());

    let mut tape = Tape::new(BufWriter::new(file), layout.epoch);
    for directory in ["blobs/", "blobs/sha256/"] {
        tape.directory(directory, Folder::default())?;
    }
    for (path, content) in members {
        tape.file(&path, OUTPUT_MODE, &content)?;
    }
    tape.finish()?.flush()
}

/// What `docker load` reads where it does not know layouts: one platform's configuration and layers.
fn docker_manifest(name: Option<&str>, image: &DockerImage) -> io::Result<Blob> {
    let names = name.map(|name| vec![name]);
    let layers: Vec<String> = image.layers.iter().map(blob_path).collect();
    Ok(Blob::json(
        &json!([{ "Config": blob_path(&image.config), "Layers": layers, "RepoTags": names }]),
    )?)
}

/// Refuses to replace anything but an OCI archive.
fn check_target(file: &Path) -> Result<(), WriteError> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WriteError::io(file, error)),
        Ok(metadata) if !metadata.is_file() => Err(WriteError::not_ours(file, "is not a file")),
        Ok(_) => match Source::open(file) {
            Ok(_) => Ok(()),
            Err(error) => Err(WriteError::not_ours(
                file,
                format!("is there and not an OCI archive ({error})"),
            )),
        },
    }
}
