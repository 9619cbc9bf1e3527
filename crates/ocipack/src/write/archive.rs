//! The single-file archive: a layout in a tar, its members sorted by name, and for one platform
//! the manifest.json of the classic `docker load`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use oci_spec::image::Digest;
use serde_json::json;

use super::{OCI_LAYOUT, OUTPUT_MODE, WriteError, parent, persist, temporary};
use crate::build::{Built, Epoch, header};
use crate::digest::{Blob, blob_path};
use crate::read::Source;

pub(crate) const DOCKER_MANIFEST: &str = "manifest.json";
const DIRECTORY_MODE: u32 = 0o755;

/// The members of an archive by path: their size in bytes and their content.
pub(crate) type Members<'a> = BTreeMap<String, (u64, Box<dyn Read + 'a>)>;

pub(super) fn write(built: &Built, file: &Path) -> Result<(), WriteError> {
    check_target(file)?;
    let write = || {
        let docker = match &built.images[..] {
            [image] => {
                let name = built.name.as_ref().map(ToString::to_string);
                Some(docker_manifest(name, &image.config, &image.layers)?)
            }
            // It has no place for platforms.
            _ => None,
        };
        let mut members = Members::new();
        for blob in built.blobs.values() {
            add_bytes(&mut members, blob_path(&blob.digest), &blob.bytes);
        }
        if let Some(docker) = &docker {
            add_bytes(&mut members, DOCKER_MANIFEST.into(), &docker.bytes);
        }
        add_bytes(&mut members, "index.json".into(), &built.index.bytes);
        let mut temporary = temporary(parent(file))?;
        pack(members, built.epoch, temporary.as_file_mut())?;
        persist(temporary, file)
    };
    write().map_err(|source| WriteError::io(file, source))
}

fn add_bytes<'a>(members: &mut Members<'a>, path: String, bytes: &'a [u8]) {
    members.insert(path, (bytes.len() as u64, Box::new(bytes)));
}

/// Writes members, `oci-layout` and the directories of the blobs as a tar.
pub(crate) fn pack(mut members: Members<'_>, epoch: Epoch, file: &mut File) -> io::Result<()> {
    add_bytes(&mut members, "oci-layout".into(), OCI_LAYOUT.as_bytes());
    let mut tar = tar::Builder::new(BufWriter::new(file));
    for directory in ["blobs/", "blobs/sha256/"] {
        tar.append(
            &header(directory, DIRECTORY_MODE, None, epoch)?,
            io::empty(),
        )?;
    }
    for (path, (size, content)) in members {
        let mut content = content.take(size);
        tar.append(
            &header(&path, OUTPUT_MODE, Some(size), epoch)?,
            &mut content,
        )?;
        if content.limit() > 0 {
            return Err(io::Error::other(format!(
                "{path} became shorter while it was read"
            )));
        }
    }
    tar.into_inner()?.flush()
}

/// What `docker load` reads where it does not know layouts: one platform's configuration and layers.
pub(crate) fn docker_manifest(
    name: Option<String>,
    config: &Digest,
    layers: &[Digest],
) -> io::Result<Blob> {
    let names: Option<Vec<String>> = name.map(|name| vec![name]);
    let layers: Vec<String> = layers.iter().map(blob_path).collect();
    Ok(Blob::json(
        &json!([{ "Config": blob_path(config), "Layers": layers, "RepoTags": names }]),
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
