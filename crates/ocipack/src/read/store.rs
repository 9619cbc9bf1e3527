//! Where a layout's files are: in a directory, or at offsets of an archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::tape::{self, Member, invalid};

/// Names that a layout's files can have; an archive's other members do not matter.
const TOP_FILES: [&str; 3] = ["oci-layout", "index.json", crate::write::DOCKER_MANIFEST];
const BLOBS: &str = "blobs/";

pub(crate) enum Store {
    Directory(PathBuf),
    Archive {
        file: File,
        sections: BTreeMap<String, Section>,
    },
}

#[derive(Clone, Copy)]
pub(crate) struct Section {
    position: u64,
    size: u64,
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
        let file = File::open(path)?;
        let sections = sections(&file)?;
        Ok(Self::Archive { file, sections })
    }

    /// A file's size in bytes and its content; `None` if there is no such file.
    pub(crate) fn file(&self, path: &str) -> io::Result<Option<(u64, Box<dyn Read + '_>)>> {
        match self {
            Self::Directory(directory) => {
                let file = match File::open(directory.join(path)) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                };
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Err(invalid(format!("{path} is not a file")));
                }
                Ok(Some((metadata.len(), Box::new(file))))
            }
            Self::Archive { file, sections } => Ok(sections.get(path).map(|section| {
                (
                    section.size,
                    Box::new(SectionReader {
                        file,
                        section: *section,
                    }) as Box<dyn Read>,
                )
            })),
        }
    }
}

/// Finds the layout's files in an archive. Contents are skipped, not read.
fn sections(file: &File) -> io::Result<BTreeMap<String, Section>> {
    let length = file.metadata()?.len();
    let mut magic = [0; 2];
    if file.read_at(&mut magic, 0)? == 2 && magic == [0x1f, 0x8b] {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is gzip-compressed; gunzip it first",
        ));
    }
    let mut sections = BTreeMap::new();
    let mut archive = tar::Archive::new(file);
    tape::walk(archive.entries_with_seek()?, |member| {
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
            .insert(path.to_owned(), Section { position, size })
            .is_some()
        {
            return Err(invalid(format!("{path} is in it twice")));
        }
        Ok(())
    })?;
    Ok(sections)
}

/// Reads a part of a file without moving the file's own position.
struct SectionReader<'a> {
    file: &'a File,
    section: Section,
}

impl Read for SectionReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer
            .len()
            .min(usize::try_from(self.section.size).unwrap_or(usize::MAX));
        let read = self
            .file
            .read_at(&mut buffer[..wanted], self.section.position)?;
        self.section.position += read as u64;
        self.section.size -= read as u64;
        Ok(read)
    }
}
