//! The layout directory: blobs first, then index.json by rename, which is the moment the new
//! image replaces the old, then the old blobs go.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use oci_spec::image::ImageIndex;

use super::{OCI_LAYOUT, TEMPORARY_PREFIX, WriteError, persist, temporary};
use crate::build::Built;

pub(super) fn write(built: &Built, directory: &Path) -> Result<(), WriteError> {
    check_target(directory)?;
    write_files(built, directory).map_err(|source| WriteError::io(directory, source))
}

/// Refuses a directory with anything but one image's layout in it.
fn check_target(directory: &Path) -> Result<(), WriteError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(WriteError::not_ours(
                directory,
                "is a file; an archive's name ends in .tar",
            ));
        }
        Err(error) => return Err(WriteError::io(directory, error)),
    };
    let mut empty = true;
    for entry in entries {
        let entry = entry.map_err(|error| WriteError::io(directory, error))?;
        empty &= is_temporary(&entry.file_name());
    }
    if empty {
        return Ok(());
    }
    if !directory.join("oci-layout").is_file() {
        return Err(WriteError::not_ours(
            directory,
            "is not empty and not an OCI layout",
        ));
    }
    match fs::read(directory.join("index.json")) {
        // A first run was killed between oci-layout and index.json.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WriteError::io(directory, error)),
        Ok(bytes) => match serde_json::from_slice::<ImageIndex>(&bytes)
            .map(|index| index.manifests().len())
        {
            Ok(0 | 1) => Ok(()),
            Ok(images) => Err(WriteError::not_ours(
                directory,
                format!("is an OCI layout of {images} images"),
            )),
            Err(error) => Err(WriteError::not_ours(
                directory,
                format!("has a broken index.json ({error})"),
            )),
        },
    }
}

fn write_files(built: &Built, directory: &Path) -> io::Result<()> {
    let blobs = directory.join("blobs").join("sha256");
    fs::create_dir_all(directory)?;
    // First of all, so that a directory that a killed run left is known as ours.
    write_file(directory, "oci-layout", OCI_LAYOUT.as_bytes())?;
    fs::create_dir_all(&blobs)?;
    for blob in built.blobs.values() {
        write_file(&blobs, blob.digest.digest(), &blob.bytes)?;
    }
    sync(&blobs)?;
    write_file(directory, "index.json", &built.index.bytes)?;
    sync(directory)?;

    remove_entries(directory, is_temporary)?;
    remove_entries(&blobs, |name| {
        is_temporary(name)
            || !built
                .blobs
                .values()
                .any(|blob| OsStr::new(blob.digest.digest()) == name)
    })
}

fn write_file(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(directory)?;
    file.write_all(bytes)?;
    persist(file, &directory.join(name))
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn remove_entries(directory: &Path, remove: impl Fn(&OsStr) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && remove(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes()
        .starts_with(TEMPORARY_PREFIX.as_bytes())
}
