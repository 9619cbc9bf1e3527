//! Where a layout's files are: in a directory, or at offsets of an archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tape::{self, Member, invalid};
use crate::content::Section;

/// Names that a layout's files can have; an archive's other members do not matter.
const TOP_FILES: [&str; 3] = ["oci-layout", "index.json", crate::write::DOCKER_MANIFEST];
const BLOBS: &str = "blobs/";

pub(crate) enum Store {
    Directory(PathBuf),
    Archive { sections: BTreeMap<String, Section> },
}

impl Store {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it is a device or a pipe; give a file",
            ));
        }
        let sections = sections(&Arc::new(File::open(path)?))?;
        Ok(Self::Archive { sections })
    }

    /// A file; `None` if there is no such file.
    pub(crate) fn file(&self, path: &str) -> io::Result<Option<Section>> {
        match self {
            Self::Directory(directory) => {
                let file = match File::open(directory.join(path)) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                };
                if !file.metadata()?.is_file() {
                    return Err(invalid(format!("{path} is not a file")));
                }
                Section::whole(file).map(Some)
            }
            Self::Archive { sections } => Ok(sections.get(path).cloned()),
        }
    }
}

/// Finds the layout's files in an archive. Contents are skipped, not read.
fn sections(file: &Arc<File>) -> io::Result<BTreeMap<String, Section>> {
    let length = file.metadata()?.len();
    let mut magic = [0; 2];
    if file.read_at(&mut magic, 0)? == 2 && magic == [0x1f, 0x8b] {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is gzip-compressed; gunzip it first",
        ));
    }
    let mut sections = BTreeMap::new();
    let mut archive = tar::Archive::new(file.as_ref());
    tape::walk(archive.entries_with_seek()?, |member, _| {
        let Member {
            path,
            kind,
            size,
            position,
            ..
        } = member;
        if position.checked_add(size).is_none_or(|end| end > length) {
            return Err(invalid(format!("it is truncated in {path}")));
        }
        let path = path.strip_prefix("./").unwrap_or(&path);
        let wanted = TOP_FILES.contains(&path) || path.starts_with(BLOBS);
        if !wanted || kind.is_dir() {
            return Ok(());
        }
        if !kind.is_file() {
            return Err(invalid(format!("{path} is not a regular file in it")));
        }
        // Readers disagree which of the two counts.
        if sections
            .insert(
                path.to_owned(),
                Section::new(Arc::clone(file), position, size),
            )
            .is_some()
        {
            return Err(invalid(format!("{path} is in it twice")));
        }
        Ok(())
    })?;
    Ok(sections)
}
