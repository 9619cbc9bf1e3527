//! A ustar archive whose every header field is fixed, as layers and single-file images are.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::build::Epoch;
use crate::content::Content;

/// Bytes of a block; a member is filled up to whole ones.
const BLOCK: usize = 512;

/// What a directory is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Its own time, if it is not the archive's.
    pub(crate) epoch: Option<Epoch>,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            mode: 0o755,
            uid: 0,
            gid: 0,
            epoch: None,
        }
    }
}

/// Writes members one after the other, each owned by root and of one time unless it says
/// otherwise.
pub(crate) struct Tape<W: Write> {
    out: W,
    epoch: Epoch,
}

impl<W: Write> Tape<W> {
    pub(crate) fn new(out: W, epoch: Epoch) -> Self {
        Self { out, epoch }
    }

    /// Adds a directory, whose path ends with a slash.
    pub(crate) fn directory(&mut self, path: &str, folder: Folder) -> io::Result<()> {
        let epoch = folder.epoch.unwrap_or(self.epoch);
        let mut header = header(path, folder.mode, None, epoch)?;
        header.set_uid(folder.uid);
        header.set_gid(folder.gid);
        header.set_cksum();
        self.out.write_all(header.as_bytes())
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &Content) -> io::Result<()> {
        let size = content.size();
        let header = header(path, mode, Some(size), self.epoch)?;
        self.out.write_all(header.as_bytes())?;
        // The next header would lie within the rest that this one promised.
        if content.write_to(&mut self.out)? != size {
            return Err(io::Error::other(format!(
                "the file for /{path} became shorter while it was read; try again when nothing writes to it"
            )));
        }
        let rest = size.wrapping_neg() % BLOCK as u64;
        self.out
            .write_all(&[0; BLOCK][..usize::try_from(rest).unwrap_or(0)])
    }

    /// Writes the two empty blocks that end an archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// The header of a file of `size` bytes, or without one of a directory.
fn header(path: &str, mode: u32, size: Option<u64>, epoch: Epoch) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    // The library's own words are of other troubles with paths, which are refused before.
    header.set_path(path).map_err(|_| {
        io::Error::other(format!(
            "/{path} does not fit a ustar header, which has 100 bytes for a name and 155 for its folders; shorten it"
        ))
    })?;
    header.set_entry_type(if size.is_some() {
        EntryType::Regular
    } else {
        EntryType::Directory
    });
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch.seconds());
    header.set_size(size.unwrap_or(0));
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_tar_library_writes() {
        let epoch: Epoch = "1700000000".parse().unwrap();
        let mut ours = Tape::new(Vec::new(), epoch);
        let mut theirs = tar::Builder::new(Vec::new());
        ours.directory("a/", Folder::default()).unwrap();
        let directory = header("a/", 0o755, None, epoch).unwrap();
        theirs.append(&directory, io::empty()).unwrap();
        for size in [0, 1, 511, 512, 513, 300_000] {
            let bytes = vec![7; size];
            let path = format!("a/{size}");
            let file = header(&path, 0o644, Some(size as u64), epoch).unwrap();
            theirs.append(&file, &bytes[..]).unwrap();
            ours.file(&path, 0o644, &bytes.into()).unwrap();
        }
        assert!(ours.finish().unwrap() == theirs.into_inner().unwrap());
    }
}
