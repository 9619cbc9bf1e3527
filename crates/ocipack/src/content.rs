//! The bytes of a blob: a document in memory, or a part of a file on the disk.
//!
//! Layers are never in memory: whatever an image weighs, this is what keeps it on the disk.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, linkat};

/// Bytes that are read at once: many beside what a system call costs.
pub(crate) const PIECE: usize = 128 * 1024;

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Arc<[u8]>),
    Section(Section),
}

/// A part of an open file, which is read without moving the file's own position.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    file: Arc<File>,
    position: u64,
    pub(crate) size: u64,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Section(section) => section.size,
        }
    }

    /// Reads from the start, or from `offset` on.
    pub(crate) fn read_from(&self, offset: u64) -> Box<dyn Read + Send> {
        match self {
            Self::Bytes(bytes) => {
                let mut cursor = io::Cursor::new(Arc::clone(bytes));
                cursor.set_position(offset);
                Box::new(cursor)
            }
            Self::Section(section) => Box::new(section.from(offset)),
        }
    }

    /// Writes all of it and tells how much that was: less than its size where it became shorter.
    pub(crate) fn write_to(&self, out: &mut impl Write) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => {
                out.write_all(bytes)?;
                Ok(bytes.len() as u64)
            }
            Self::Section(section) => section.clone().write_to(out),
        }
    }

    /// Fills `buffer` from `offset` on; fewer bytes only where the content ends.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reader = self.read_from(offset);
        let mut filled = 0;
        while filled < buffer.len() {
            match reader.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Section {
    pub(crate) fn new(file: Arc<File>, position: u64, size: u64) -> Self {
        Self {
            file,
            position,
            size,
        }
    }

    /// Names a file that has no name yet, which nobody else can have then; false if that cannot be
    /// done, as on another file system.
    pub(crate) fn name(&self, path: &Path) -> bool {
        let whole = |file: &Metadata| file.nlink() == 0 && file.len() == self.size;
        if self.position != 0 || !self.file.metadata().is_ok_and(|file| whole(&file)) {
            return false;
        }
        // As open(2) has it for O_TMPFILE; a file whose name was removed cannot be linked again.
        let nameless = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, nameless, CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok()
    }

    /// The whole of a file as it is now.
    pub(crate) fn whole(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self::new(Arc::new(file), 0, size))
    }

    fn from(&self, offset: u64) -> Self {
        let offset = offset.min(self.size);
        Self {
            file: Arc::clone(&self.file),
            position: self.position + offset,
            size: self.size - offset,
        }
    }

    fn write_to(self, out: &mut impl Write) -> io::Result<u64> {
        io::copy(&mut BufReader::with_capacity(PIECE, self), out)
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer
            .len()
            .min(usize::try_from(self.size).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.position)?;
        self.position += read as u64;
        self.size -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn sections_are_read_from_anywhere_and_end_where_they_should() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let content = Content::Section(Section::new(Arc::new(file), 2, 5));
        for content in [content, Content::from(b"23456".to_vec())] {
            let mut all = String::new();
            content.read_from(0).read_to_string(&mut all).unwrap();
            assert_eq!((all.as_str(), content.size()), ("23456", 5));
            let mut buffer = [0; 4];
            assert_eq!(content.read_at(&mut buffer, 3).unwrap(), 2);
            assert_eq!(&buffer[..2], b"56");
            assert_eq!(content.read_at(&mut buffer, 9).unwrap(), 0);
        }
    }

    #[test]
    fn only_a_whole_file_without_a_name_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        let nameless = |size| {
            let mut file = tempfile::tempfile_in(folder.path()).unwrap();
            file.write_all(b"0123456789").unwrap();
            Section::new(Arc::new(file), 0, size)
        };
        assert!(!nameless(9).name(&path), "a part of it is another blob");
        assert!(nameless(10).name(&path));
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
        assert!(!nameless(10).name(&path), "it would replace another");
        let named = Section::whole(File::open(&path).unwrap()).unwrap();
        assert!(
            !named.name(&folder.path().join("second")),
            "both names would have one content"
        );
    }
}
