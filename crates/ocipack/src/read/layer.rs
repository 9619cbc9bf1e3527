//! One pass over a layer: the digests of its compressed and uncompressed bytes, and its entries.

use std::io::{self, Read};

use oci_spec::image::Digest;

use super::tape::{self, Member, invalid};
use crate::compression::Format;
use crate::digest::Hashing;

/// Uncompressed bytes of one layer: far above any image, far below what a bomb can claim.
const MAX_UNCOMPRESSED: u64 = 16 * 1024 * 1024 * 1024;

/// Bytes of a block of a tar.
const BLOCK: u64 = 512;

/// What a pass over a layer found.
pub(crate) struct LayerContent {
    /// The digest of the bytes as they are stored.
    pub(crate) digest: Digest,
    /// The digest of the uncompressed bytes and their number; an error if they are no tar.
    pub(crate) uncompressed: io::Result<(Digest, u64)>,
}

/// Reads a layer to its end, showing each entry to `visit`.
///
/// # Errors
/// The stored bytes cannot be read.
pub(crate) fn read(
    blob: impl Read,
    format: Format,
    visit: impl FnMut(Member, &mut dyn Read) -> io::Result<()>,
) -> io::Result<LayerContent> {
    let mut stored = Hashing::new(blob);
    let uncompressed = format
        .decoder(&mut stored)
        .and_then(|plain| read_tar(plain, visit));
    // Whatever a broken tar left unread: the digest is over all of it.
    io::copy(&mut stored, &mut io::sink())?;
    Ok(LayerContent {
        digest: stored.finish().0,
        uncompressed,
    })
}

fn read_tar(
    plain: impl Read,
    mut visit: impl FnMut(Member, &mut dyn Read) -> io::Result<()>,
) -> io::Result<(Digest, u64)> {
    let mut plain = Hashing::new(plain.take(MAX_UNCOMPRESSED));
    let mut last = (0, String::new());
    let whole_blocks = WholeBlocks {
        inner: &mut plain,
        count: 0,
    };
    tape::walk(
        tar::Archive::new(whole_blocks).entries()?,
        |member, content| {
            let end = member.position.saturating_add(member.size);
            last = (end, member.path.clone());
            visit(member, content)
        },
    )?;
    // The padding after the last entry is part of the digest too.
    io::copy(&mut plain, &mut io::sink())?;
    if plain.inner.limit() == 0 {
        return Err(invalid(format!(
            "over {MAX_UNCOMPRESSED} bytes uncompressed"
        )));
    }
    let size = plain.count;
    let (end, path) = last;
    if end > size {
        return Err(invalid(format!("it is truncated in {path}")));
    }
    Ok((plain.finish().0, size))
}

/// Fills the last block of 512 bytes up: umoci's `insert` ends a layer with the last file's last
/// byte, and every runtime takes it.
struct WholeBlocks<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for WholeBlocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = self.inner.read(buffer)?;
        let missing = self.count.wrapping_neg() % BLOCK;
        if read == 0 && missing > 0 {
            let fill = buffer
                .iter_mut()
                .take(usize::try_from(missing).unwrap_or(0));
            read = fill.map(|byte| *byte = 0).count();
        }
        self.count += read as u64;
        Ok(read)
    }
}

/// What is wrong with an entry, if it could reach or make what is not part of an image.
pub(crate) fn entry_problem(member: &Member) -> Option<String> {
    if member.path.is_empty()
        || member.path.starts_with('/')
        || parts(&member.path).any(|part| part == "..")
    {
        return Some("is not a path inside the image".into());
    }
    let target = member.link.as_deref().unwrap_or_default();
    match member.kind.as_byte() {
        b'1' if target.is_empty()
            || target.starts_with('/')
            || parts(target).any(|part| part == "..") =>
        {
            Some(format!("is a hard link to {target:?}, outside the image"))
        }
        b'2' if target.is_empty() || escapes(&member.path, target) => Some(format!(
            "is a symbolic link to {target:?}, outside the image"
        )),
        // Regular (and its two old spellings), directory, and the links that are left.
        b'0' | 0 | b'7' | b'5' | b'1' | b'2' => None,
        b'3' | b'4' | b'6' => Some("is a device or a pipe".into()),
        b'S' => Some("is a sparse file; pack it without --sparse".into()),
        other => Some(format!("has the unknown type {:?}", char::from(other))),
    }
}

/// Whether a symbolic link climbs above the image's root. An absolute one starts at that root.
fn escapes(link: &str, target: &str) -> bool {
    let mut depth = if target.starts_with('/') {
        0
    } else {
        parts(link).count().saturating_sub(1)
    };
    for part in parts(target) {
        match (part, depth) {
            ("..", 0) => return true,
            ("..", _) => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

#[cfg(test)]
mod tests {
    use tar::EntryType;

    use super::*;

    fn problem(path: &str, kind: EntryType, link: &str) -> Option<String> {
        let link = (!link.is_empty()).then(|| link.to_owned());
        entry_problem(&Member {
            path: path.into(),
            link,
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: "0".into(),
            attributes: None,
            size: 0,
            position: 0,
        })
    }

    #[test]
    fn a_layer_may_end_with_its_last_byte_but_not_before() {
        let mut header = tar::Header::new_gnu();
        header.set_path("file").unwrap();
        header.set_mode(0o644);
        header.set_size(600);
        header.set_cksum();
        let layer = [header.as_bytes().as_slice(), &[7; 600]].concat();
        let read = |bytes: &[u8]| {
            let mut content = Vec::new();
            let read = read(bytes, Format::Plain, |_, bytes| {
                bytes.read_to_end(&mut content).map(drop)
            });
            read.unwrap().uncompressed.map(|(_, size)| (size, content))
        };
        assert_eq!(read(&layer).unwrap(), (1112, vec![7; 600]));
        for cut in [1, 88, 89, 600] {
            let error = read(&layer[..layer.len() - cut]).unwrap_err().to_string();
            let told = ["truncated in file", "unexpected EOF"];
            assert!(
                told.iter().any(|word| error.contains(word)),
                "{cut}: {error}"
            );
        }
    }

    #[test]
    fn entries_stay_inside() {
        for (path, kind, link) in [
            ("bin/", EntryType::Directory, ""),
            ("./bin/a", EntryType::Regular, ""),
            ("lib/b", EntryType::Symlink, "../usr/lib/b"),
            ("lib/c", EntryType::Symlink, "/usr/lib/c"),
            ("lib/d", EntryType::Link, "lib/c"),
            ("etc/..data", EntryType::Regular, ""),
        ] {
            assert_eq!(problem(path, kind, link), None, "{path}");
        }
        for (path, kind, link) in [
            ("/etc/passwd", EntryType::Regular, ""),
            ("a/../../b", EntryType::Regular, ""),
            ("..", EntryType::Directory, ""),
            ("", EntryType::Regular, ""),
            ("lib/b", EntryType::Symlink, "../../etc"),
            ("lib/c", EntryType::Symlink, "/../etc"),
            ("lib/c", EntryType::Symlink, ""),
            ("lib/d", EntryType::Link, "/etc/passwd"),
            ("lib/d", EntryType::Link, "../etc/passwd"),
            ("dev/sda", EntryType::Block, ""),
            ("dev/null", EntryType::Char, ""),
            ("pipe", EntryType::Fifo, ""),
            ("sparse", EntryType::GNUSparse, ""),
        ] {
            assert!(
                problem(path, kind, link).is_some(),
                "{path} {link} was taken"
            );
        }
    }
}
