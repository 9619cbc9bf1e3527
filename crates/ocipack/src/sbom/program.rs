//! The list of crates that cargo-auditable puts into a program: zlib-compressed JSON in an ELF
//! section (<https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>).

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use auditable_serde::VersionInfo;
use object::elf::{FileHeader32, FileHeader64};
use object::read::ReadCache;
use object::read::elf::{ElfFile, FileHeader};
use object::{Endianness, FileKind, Object, ObjectSection};

use crate::read::{Member, invalid};

const SECTION: &str = ".dep-v0";
const ELF: [u8; 4] = *b"\x7fELF";
/// Bytes of the list, uncompressed.
const MAX_LIST: u64 = 16 * 1024 * 1024;

/// The list in a member of a layer, if it is a program with one.
pub(super) fn list(member: &Member, content: &mut dyn Read) -> io::Result<Option<VersionInfo>> {
    let mut start = Vec::new();
    content.take(ELF.len() as u64).read_to_end(&mut start)?;
    if start != ELF {
        return Ok(None);
    }
    // Sections are anywhere in it, and programs are large: it goes by way of the disk.
    let mut file = tempfile::tempfile()?;
    file.write_all(&start)?;
    io::copy(content, &mut file)?;
    file.rewind()?;
    let failed = |problem: String| invalid(format!("{}: {problem}", member.path));
    let Some(packed) = section(file).map_err(|error| failed(error.to_string()))? else {
        return Ok(None);
    };
    let mut json = Vec::new();
    let unpacked = flate2::read::ZlibDecoder::new(&packed[..]);
    unpacked.take(MAX_LIST).read_to_end(&mut json)?;
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|error| failed(format!("its list of crates is malformed: {error}")))
}

fn section(file: File) -> object::Result<Option<Vec<u8>>> {
    let data = ReadCache::new(file);
    match FileKind::parse(&data)? {
        FileKind::Elf32 => find::<FileHeader32<Endianness>>(&data),
        FileKind::Elf64 => find::<FileHeader64<Endianness>>(&data),
        _ => Ok(None),
    }
}

fn find<H: FileHeader<Endian = Endianness>>(
    data: &ReadCache<File>,
) -> object::Result<Option<Vec<u8>>> {
    let elf = ElfFile::<H, _>::parse(data)?;
    let section = elf.section_by_name(SECTION);
    section
        .map(|section| section.data().map(<[u8]>::to_vec))
        .transpose()
}
