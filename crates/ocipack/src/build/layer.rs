//! A tree as layer bytes: a tar whose every header field is fixed, compressed with a pinned
//! encoder straight to the disk.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use oci_spec::image::Digest;

use super::epoch::Epoch;
use super::tree::{Node, Tree};
use crate::compression::Compression;
use crate::content::{Content, Section};
use crate::digest::{Blob, Hashing};
use crate::write::Tape;

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
    let mut tape = Tape::new(Hashing::new(encoder), epoch);
    for (path, node) in tree.nodes() {
        match node {
            Node::Directory(folder) => tape.directory(&format!("{path}/"), *folder)?,
            Node::File { mode, content } => tape.file(path, *mode, content)?,
        }
    }
    let (diff_id, encoder) = tape.finish()?.finish();
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
        // RFC 1952: magic, deflate, no flags, mtime 0, XFL 0 (neither best nor fastest), OS 255.
        assert_eq!(start, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
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
        assert!(
            error.ends_with("155 for its folders; shorten it"),
            "{error}"
        );
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
