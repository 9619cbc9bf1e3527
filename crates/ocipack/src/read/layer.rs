//! One pass over a layer: the digests of its compressed and uncompressed bytes, and its entries.

use std::io::{self, Read};

use oci_spec::image::Digest;

use super::tape::{self, Member, invalid};
use crate::compression::Format;
use crate::digest::Hashing;

/// Uncompressed bytes of one layer: far above any image, far below what a bomb can claim.
const MAX_UNCOMPRESSED: u64 = 16 * 1024 * 1024 * 1024;

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
    visit: impl FnMut(Member, &mut dyn Read) -> io::Result<()>,
) -> io::Result<(Digest, u64)> {
    let mut plain = Hashing::new(plain.take(MAX_UNCOMPRESSED));
    tape::walk(tar::Archive::new(&mut plain).entries()?, visit)?;
    // The padding after the last entry is part of the digest too.
    io::copy(&mut plain, &mut io::sink())?;
    if plain.inner.limit() == 0 {
        return Err(invalid(format!(
            "over {MAX_UNCOMPRESSED} bytes uncompressed"
        )));
    }
    let size = plain.count;
    Ok((plain.finish().0, size))
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
            size: 0,
            position: 0,
        })
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
