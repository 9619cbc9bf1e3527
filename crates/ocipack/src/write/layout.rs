//! The layout directory: blobs first, then index.json by rename, which is the moment the new
//! image replaces the old, then the old blobs go.
//!
//! Blobs are made sure of on the disk together, before that rename: a journal is then committed
//! once for all of them. One that a crash left without its bytes is written anew, for it does not
//! have its digest.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Digest, ImageIndex};
use tempfile::NamedTempFile;

use super::{Layout, OCI_LAYOUT, TEMPORARY_PREFIX, WriteError, temporary};
use crate::content::{Content, Section};
use crate::digest::{Blob, digest_of};

/// Writes a layout, its index.json last. What a killed run left is taken over.
pub(crate) struct LayoutWriter {
    directory: PathBuf,
    blobs: PathBuf,
}

impl LayoutWriter {
    /// Prepares a directory.
    pub(crate) fn begin(directory: &Path) -> Result<Self, WriteError> {
        check_target(directory)?;
        let writer = Self {
            directory: directory.to_owned(),
            blobs: directory.join("blobs").join("sha256"),
        };
        let prepare = || {
            fs::create_dir_all(directory)?;
            // First of all, so that a directory that a killed run left is known as ours.
            let version = OCI_LAYOUT.as_bytes().to_vec().into();
            write_file(directory, &version)?.persist(directory.join("oci-layout"))?;
            fs::create_dir_all(&writer.blobs)
        };
        prepare().map_err(|source| WriteError::io(directory, source))?;
        Ok(writer)
    }

    /// The blob, if it is there with every byte as it should be.
    pub(crate) fn find(&self, digest: &Digest, size: u64) -> Option<Section> {
        let section = Section::whole(File::open(self.path(digest)).ok()?).ok()?;
        let found = (section.size == size).then(|| digest_of(section.clone()))?;
        found.is_ok_and(|found| found == *digest).then_some(section)
    }

    pub(crate) fn put(&self, blob: &Blob) -> Result<(), WriteError> {
        if self.find(&blob.digest, blob.size()).is_some() {
            return Ok(());
        }
        let path = self.path(&blob.digest);
        let write = || {
            if matches!(&blob.content, Content::Section(section) if section.name(&path)) {
                return Ok(());
            }
            let file = write_file(&self.blobs, &blob.content)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| WriteError::io(&self.directory, source))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.digest())
    }

    /// A file for a blob whose bytes are still to come.
    pub(crate) fn temporary(&self) -> io::Result<NamedTempFile> {
        temporary(&self.blobs)
    }

    /// Keeps such a file as the blob that it has become.
    pub(crate) fn keep(&self, file: NamedTempFile, digest: &Digest) -> io::Result<Section> {
        let section = Section::whole(file.reopen()?)?;
        file.persist(self.path(digest))?;
        Ok(section)
    }

    /// Makes the layout one of this image, whose blobs are all there.
    pub(crate) fn finish(self, layout: &Layout) -> Result<(), WriteError> {
        let finish = || {
            let index = write_file(&self.directory, &layout.index()?.content)?;
            index.as_file().sync_all()?;
            for blob in layout.blobs.0.values() {
                sync(&self.path(&blob.digest))?;
            }
            sync(&self.directory.join("oci-layout"))?;
            sync(&self.blobs)?;
            index.persist(self.directory.join("index.json"))?;
            sync(&self.directory)?;

            remove_entries(&self.directory, is_temporary)?;
            remove_entries(&self.blobs, |name| {
                let mut kept = layout.blobs.0.values();
                is_temporary(name) || !kept.any(|blob| OsStr::new(blob.digest.digest()) == name)
            })
        };
        finish().map_err(|source| WriteError::io(&self.directory, source))
    }
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

/// A complete file that has no name of its own yet.
fn write_file(directory: &Path, content: &Content) -> io::Result<NamedTempFile> {
    let mut file = temporary(directory)?;
    content.write_to(file.as_file_mut())?;
    Ok(file)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
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
