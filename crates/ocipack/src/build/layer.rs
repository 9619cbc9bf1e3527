//! A tree as layer bytes: a ustar archive whose every header field is fixed, compressed with
//! a pinned encoder straight to the disk.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use oci_spec::image::Digest;
use tar::{EntryType, Header};

use super::epoch::Epoch;
use super::tree::{Node, Tree};
use crate::compression::Compression;
use crate::content::{Content, Section};
use crate::digest::{Blob, Hashing};

const DIRECTORY_MODE: u32 = 0o755;

/// A compressed layer and the digest of its uncompressed bytes.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) blob: Blob,
    pub(crate) diff_id: Digest,
}

/// Packs a tree into a file without a name in `scratch`: it is gone with the process.
pub(crate) fn pack(
    tree: &Tree,
    epoch: Epoch,
    compression: Compression,
    scratch: &Path,
) -> io::Result<Layer> {
    let file = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let encoder = compression.encoder(Hashing::new(file))?;
    let mut tar = tar::Builder::new(Hashing::new(encoder));
    for (path, node) in tree.nodes() {
        match node {
            Node::Directory => {
                let header = header(&format!("{path}/"), DIRECTORY_MODE, None, epoch)?;
                tar.append(&header, io::empty())?;
            }
            Node::File { mode, content } => append(&mut tar, path, *mode, epoch, content)?,
        }
    }
    let (diff_id, encoder) = tar.into_inner()?.finish();
    let (digest, file) = encoder.finish()?.finish();
    let file: File = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(Layer {
        blob: Blob {
            digest,
            content: Content::Section(Section::whole(file)?),
        },
        diff_id,
    })
}

/// Appends a file, owned by root.
fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    mode: u32,
    epoch: Epoch,
    content: &Content,
) -> io::Result<()> {
    let size = content.size();
    let mut read = Hashing::new(content.read());
    tar.append(&header(path, mode, Some(size), epoch)?, &mut read)?;
    // The next header would lie within the rest that the first one promised.
    if read.count == size {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the file for /{path} became shorter while it was read"
    )))
}

/// The ustar header of a file of `size` bytes, or without one of a directory.
pub(crate) fn header(path: &str, mode: u32, size: Option<u64>, epoch: Epoch) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|error| {
        io::Error::other(format!("{path}: does not fit a ustar header: {error}"))
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

    fn pack(tree: &Tree) -> io::Result<Layer> {
        let epoch = "1700000000".parse().unwrap();
        super::pack(tree, epoch, Compression::default(), &std::env::temp_dir())
    }

    #[test]
    fn the_gzip_header_tells_nothing() {
        let mut tree = Tree::default();
        tree.add("/a", 0o644, b"content".to_vec().into()).unwrap();
        let mut start = [0; 10];
        let layer = pack(&tree).unwrap();
        layer.blob.content.read_at(&mut start, 0).unwrap();
        // RFC 1952: magic, deflate, no flags, mtime 0, XFL 2 (best), OS 255.
        assert_eq!(start, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn long_paths_use_the_prefix_and_too_long_ones_are_refused() {
        let mut tree = Tree::default();
        let empty = || Vec::new().into();
        let path = format!("/{0}/{0}/{1}", "d".repeat(70), "f".repeat(99));
        tree.add(&path, 0o644, empty()).unwrap();
        assert!(pack(&tree).is_ok());
        tree.add(&format!("/{}", "f".repeat(101)), 0o644, empty())
            .unwrap();
        let error = pack(&tree).unwrap_err().to_string();
        assert!(error.contains("does not fit a ustar header"), "{error}");
    }

    #[test]
    fn a_file_that_shrinks_is_noticed() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let mut tree = Tree::default();
        let section = Section::whole(file.try_clone().unwrap()).unwrap();
        tree.add("/a", 0o644, Content::Section(section)).unwrap();
        file.set_len(100).unwrap();
        let error = pack(&tree).unwrap_err().to_string();
        assert!(error.contains("/a became shorter"), "{error}");
    }
}
