//! The members of a tar, one after the other, in bounded memory.
//!
//! The tar library's own iterator reads a member's extended name into memory whatever its
//! length; here its raw headers are read and long names are taken up to a limit.

use std::io::{self, Read};

use tar::{EntryType, PaxExtensions};

use super::name;
use crate::digest::digest_of;

/// Bytes of one extended header.
const MAX_EXTENSION: u64 = 1024 * 1024;
/// Bytes of a path or of a link's target: Linux' `PATH_MAX`.
const MAX_PATH: usize = 4096;
/// What the names of extended attributes start with (star's form, which all builders write).
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";
/// What starts so is about a file with holes, whose bytes are not its content.
const SPARSE: &[u8] = b"GNU.sparse.";
/// Bytes of an extended attribute that are noted as they are.
const MAX_SHOWN: usize = 128;
/// Members of one archive or layer.
const MAX_MEMBERS: usize = 1_000_000;

/// One member's header, with its extended headers applied.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: String,
    pub(crate) link: Option<String>,
    pub(crate) kind: EntryType,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Seconds since 1970, with whatever fraction an extended header gives.
    pub(crate) mtime: String,
    /// Extended attributes, as text.
    pub(crate) attributes: Option<String>,
    pub(crate) size: u64,
    /// Where its content starts, in bytes from the archive's start.
    pub(crate) position: u64,
}

/// Calls `visit` for each member in turn, with its content.
pub(crate) fn walk<R: Read>(
    entries: tar::Entries<'_, R>,
    mut visit: impl FnMut(Member, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut extended = Extended::default();
    for (number, entry) in entries.raw(true).enumerate() {
        if number >= MAX_MEMBERS {
            return Err(invalid(format!("more than {MAX_MEMBERS} members")));
        }
        let mut entry = entry?;
        let header = entry.header();
        let kind = header.entry_type();
        if matches!(kind.as_byte(), b'x' | b'g' | b'L' | b'K') {
            extended.read(kind, entry.size(), &mut entry)?;
            continue;
        }
        let found = std::mem::take(&mut extended);
        if found.is_sparse {
            // Its oldest form has no other name.
            let name = found.sparse_name.or(found.path);
            let name = name.unwrap_or_else(|| header.path_bytes().to_vec());
            return Err(invalid(format!(
                "the sparse file {:?} in GNU's PAX form, which is not read here; pack it without \
                 --sparse",
                text(&name)?
            )));
        }
        let link = found
            .link
            .or_else(|| header.link_name_bytes().map(|link| link.to_vec()));
        let member = Member {
            path: text(&found.path.unwrap_or_else(|| header.path_bytes().to_vec()))?,
            link: link.as_deref().map(text).transpose()?,
            kind,
            mode: header.mode()?,
            // Where these are blank, every reader takes them for 0.
            uid: found.uid.or(header.uid().ok()).unwrap_or(0),
            gid: found.gid.or(header.gid().ok()).unwrap_or(0),
            mtime: found
                .mtime
                .unwrap_or_else(|| header.mtime().unwrap_or(0).to_string()),
            attributes: found.attributes,
            size: entry.size(),
            position: entry.raw_file_position(),
        };
        // Some readers take what follows for the next header, and see other members than these.
        if matches!(kind.as_byte(), b'1'..=b'6') && member.size > 0 {
            return Err(invalid(format!(
                "{:?} is a link, folder or device with content",
                member.path
            )));
        }
        visit(member, &mut entry)?;
    }
    Ok(())
}

/// What extended headers say about the member that follows them.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<String>,
    attributes: Option<String>,
    is_sparse: bool,
    /// The name of a file with holes, if its header has another.
    sparse_name: Option<Vec<u8>>,
}

impl Extended {
    fn read(&mut self, kind: EntryType, size: u64, content: impl Read) -> io::Result<()> {
        if size > MAX_EXTENSION {
            return Err(invalid(format!(
                "an extended header of {size} bytes, over {MAX_EXTENSION}"
            )));
        }
        let mut bytes = Vec::new();
        content.take(size).read_to_end(&mut bytes)?;
        match kind.as_byte() {
            b'L' => self.path = Some(until_nul(bytes)),
            b'K' => self.link = Some(until_nul(bytes)),
            b'x' => {
                for extension in PaxExtensions::new(&bytes) {
                    let extension = extension?;
                    match extension.key_bytes() {
                        b"path" => self.path = Some(extension.value_bytes().to_vec()),
                        b"linkpath" => self.link = Some(extension.value_bytes().to_vec()),
                        // Readers disagree where such a member ends.
                        b"uid" => self.uid = Some(number(extension.value_bytes())?),
                        b"gid" => self.gid = Some(number(extension.value_bytes())?),
                        b"mtime" => self.mtime = Some(text(extension.value_bytes())?),
                        b"size" => {
                            return Err(invalid(
                                "a member whose size is in an extended header".into(),
                            ));
                        }
                        b"GNU.sparse.name" => {
                            self.is_sparse = true;
                            self.sparse_name = Some(extension.value_bytes().to_vec());
                        }
                        key if key.starts_with(SPARSE) => self.is_sparse = true,
                        key => {
                            if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                                self.attribute(name, extension.value_bytes());
                            }
                        }
                    }
                }
            }
            // Global headers carry comments.
            _ => {}
        }
        Ok(())
    }
}

impl Extended {
    /// Notes an attribute; of a long value its digest.
    fn attribute(&mut self, name: &[u8], value: &[u8]) {
        let value = if value.len() > MAX_SHOWN {
            digest_of(value).map_or_else(|error| error.to_string(), |digest| digest.to_string())
        } else {
            value.escape_ascii().to_string()
        };
        let attribute = format!("{}={value}", name.escape_ascii());
        self.attributes = Some(match self.attributes.take() {
            Some(before) if before.len() < MAX_PATH => format!("{before} {attribute}"),
            Some(before) => before,
            None => attribute,
        });
    }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(
        bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len()),
    );
    bytes
}

fn number(value: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let value = String::from_utf8_lossy(value);
        invalid(format!("an extended header with the owner {value:?}"))
    })
}

fn text(path: &[u8]) -> io::Result<String> {
    if path.len() > MAX_PATH {
        return Err(invalid(format!(
            "a path of {} bytes, over {MAX_PATH}",
            path.len()
        )));
    }
    Ok(name::to_text(path))
}

pub(crate) fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(bytes: &[u8]) -> io::Result<Vec<String>> {
        let mut paths = Vec::new();
        walk(tar::Archive::new(bytes).entries()?, |member, _| {
            paths.push(member.path);
            Ok(())
        })?;
        Ok(paths)
    }

    fn empty_file(mut header: tar::Header) -> tar::Header {
        header.set_size(0);
        header.set_mode(0o644);
        header
    }

    #[test]
    fn long_names_of_both_kinds_are_read() {
        let long = format!("{}/{}", "d".repeat(200), "f".repeat(150));
        let mut gnu = tar::Builder::new(Vec::new());
        gnu.append_data(&mut empty_file(tar::Header::new_gnu()), &long, io::empty())
            .unwrap();
        assert_eq!(paths(&gnu.into_inner().unwrap()).unwrap(), [long.as_str()]);

        let mut pax = tar::Builder::new(Vec::new());
        pax.append_pax_extensions([("path", long.as_bytes()), ("mtime", b"1.5")])
            .unwrap();
        pax.append_data(
            &mut empty_file(tar::Header::new_ustar()),
            "short",
            io::empty(),
        )
        .unwrap();
        assert_eq!(paths(&pax.into_inner().unwrap()).unwrap(), [long.as_str()]);
    }

    #[test]
    fn nothing_hides_behind_a_member_that_can_have_no_content() {
        for kind in [EntryType::Directory, EntryType::Symlink, EntryType::Link] {
            let mut hiding = tar::Builder::new(Vec::new());
            let mut header = empty_file(tar::Header::new_ustar());
            header.set_path("a").unwrap();
            header.set_entry_type(kind);
            header.set_link_name("b").unwrap();
            header.set_size(512);
            header.set_cksum();
            let mut hidden = empty_file(tar::Header::new_ustar());
            hidden.set_path("hidden").unwrap();
            hidden.set_cksum();
            hiding.append(&header, &hidden.as_bytes()[..]).unwrap();
            let error = paths(&hiding.into_inner().unwrap()).unwrap_err();
            assert!(error.to_string().contains("with content"), "{error}");
        }
    }

    #[test]
    fn a_file_with_holes_is_refused_by_its_own_name() {
        let one = [
            ("GNU.sparse.major", &b"1"[..]),
            ("GNU.sparse.name", b"disk.img"),
            ("GNU.sparse.realsize", b"4096"),
        ];
        let zero = [("GNU.sparse.size", &b"4096"[..])];
        for (pax, name) in [(&one[..], "GNUSparseFile.0/disk.img"), (&zero, "disk.img")] {
            let mut sparse = tar::Builder::new(Vec::new());
            sparse.append_pax_extensions(pax.iter().copied()).unwrap();
            let mut header = empty_file(tar::Header::new_ustar());
            sparse.append_data(&mut header, name, io::empty()).unwrap();
            let error = paths(&sparse.into_inner().unwrap()).unwrap_err();
            assert!(error.to_string().contains("sparse file \"disk.img\""));
        }
    }

    #[test]
    fn a_header_that_claims_a_huge_name_is_refused_unread() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        assert!(
            paths(header.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("extended header of 1099511627776 bytes")
        );
    }
}
