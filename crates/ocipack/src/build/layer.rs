//! A tree as layer bytes: a ustar archive whose every header field is fixed, compressed with
//! a pinned encoder at a pinned level.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use oci_spec::image::Digest;
use tar::{EntryType, Header};

use super::epoch::Epoch;
use super::tree::{Node, Tree};
use crate::digest::{Blob, Hashing};

const LEVEL: u32 = 9;
/// RFC 1952: the operating system is unknown.
const GZIP_OS_UNKNOWN: u8 = 255;
const DIRECTORY_MODE: u32 = 0o755;

/// A compressed layer and the digest of its uncompressed bytes.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) blob: Blob,
    pub(crate) diff_id: Digest,
}

pub(crate) fn pack(tree: &Tree, epoch: Epoch) -> io::Result<Layer> {
    // No file name, and mtime 0 whatever the epoch: gzip's header says nothing about the content.
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(GZIP_OS_UNKNOWN)
        .write(Vec::new(), Compression::new(LEVEL));
    let mut tar = tar::Builder::new(Hashing::new(gzip));
    for (path, node) in tree.nodes() {
        match node {
            Node::Directory => append(&mut tar, &format!("{path}/"), DIRECTORY_MODE, epoch, None)?,
            Node::File { mode, bytes } => append(&mut tar, path, *mode, epoch, Some(bytes))?,
        }
    }
    let (diff_id, gzip) = tar.into_inner()?.finish();
    Ok(Layer {
        blob: Blob::new(gzip.finish()?),
        diff_id,
    })
}

/// Appends a file, or without bytes a directory, owned by root.
fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    mode: u32,
    epoch: Epoch,
    bytes: Option<&[u8]>,
) -> io::Result<()> {
    let header = header(path, mode, bytes.map(|bytes| bytes.len() as u64), epoch)?;
    tar.append(&header, bytes.unwrap_or_default())
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

    #[test]
    fn the_gzip_header_tells_nothing() {
        let mut tree = Tree::default();
        tree.add("/a", 0o644, b"content".to_vec()).unwrap();
        let layer = pack(&tree, "1700000000".parse().unwrap()).unwrap();
        // RFC 1952: magic, deflate, no flags, mtime 0, XFL 2 (best), OS 255.
        assert_eq!(
            layer.blob.bytes[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]
        );
    }

    #[test]
    fn long_paths_use_the_prefix_and_too_long_ones_are_refused() {
        let mut tree = Tree::default();
        tree.add(
            &format!("/{0}/{0}/{1}", "d".repeat(70), "f".repeat(99)),
            0o644,
            vec![],
        )
        .unwrap();
        assert!(pack(&tree, Epoch::default()).is_ok());
        tree.add(&format!("/{}", "f".repeat(101)), 0o644, vec![])
            .unwrap();
        assert!(
            pack(&tree, Epoch::default())
                .unwrap_err()
                .to_string()
                .contains("does not fit a ustar header")
        );
    }
}
