//! What a binary says about itself: the machine it runs on, and whether it needs a loader
//! or libraries that an image made of this one file does not have.

use object::elf::{self, FileHeader32, FileHeader64, Machine};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadRef};

use crate::platform::Platform;

/// Refuses bytes that are no program for the platform or, unless allowed, not a static one.
///
/// Only headers are read, so `data` may be a file of any size.
pub(crate) fn check<'a, R: ReadRef<'a>>(
    data: R,
    platform: &Platform,
    allow_dynamic: bool,
) -> Result<(), String> {
    let (program, bits) = match FileKind::parse(data) {
        Ok(FileKind::Elf32) => (read::<FileHeader32<Endianness>, _>(data), 32),
        Ok(FileKind::Elf64) => (read::<FileHeader64<Endianness>, _>(data), 64),
        _ => {
            return Err(
                "is not an ELF binary; give the program itself, not a script or an archive".into(),
            );
        }
    };
    let program = program.map_err(|error| format!("is a broken ELF binary: {error}"))?;

    let found = architecture(program.machine, bits, program.little_endian);
    if found != Some(platform.architecture()) {
        let found = found.map_or_else(
            || format!("ELF machine {}", program.machine.0),
            |name| format!("linux/{name}"),
        );
        return Err(format!(
            "is for {found}, not for {platform}; build it for that target or declare it as what it is"
        ));
    }
    if !program.executable {
        return Err("is an ELF object, not an executable".into());
    }
    if program.dynamic && !allow_dynamic {
        return Err("is dynamically linked and the image has no loader or libraries; link it statically \
            (Rust: -C target-feature=+crt-static, Go: CGO_ENABLED=0), or use --allow-dynamic and add them with --file"
            .into());
    }
    Ok(())
}

struct Program {
    machine: Machine,
    little_endian: bool,
    executable: bool,
    dynamic: bool,
}

fn read<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(
    data: R,
) -> object::Result<Program> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let mut dynamic = false;
    for segment in header.program_headers(endian, data)? {
        // A static-pie has a PT_DYNAMIC of its own, for its own relocations: only what it needs counts.
        let needs_library = segment.dynamic(endian, data)?.is_some_and(|entries| {
            entries
                .iter()
                .any(|entry| entry.d_tag(endian) == elf::DT_NEEDED)
        });
        dynamic |= needs_library || segment.p_type(endian) == elf::PT_INTERP;
    }
    Ok(Program {
        machine: header.e_machine(endian),
        little_endian: header.is_little_endian(),
        executable: matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN),
        dynamic,
    })
}

/// Go's name for an ELF machine.
fn architecture(machine: Machine, bits: u8, little_endian: bool) -> Option<&'static str> {
    Some(match (machine, bits, little_endian) {
        (elf::EM_386, 32, true) => "386",
        (elf::EM_X86_64, 64, true) => "amd64",
        (elf::EM_ARM, 32, true) => "arm",
        (elf::EM_AARCH64, 64, true) => "arm64",
        (elf::EM_LOONGARCH, 64, true) => "loong64",
        (elf::EM_PPC64, 64, true) => "ppc64le",
        (elf::EM_RISCV, 64, true) => "riscv64",
        (elf::EM_S390, 64, false) => "s390x",
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The 64-byte header of a static program without segments (ELF-64 object file format, §3).
    pub(crate) fn static_program(machine: u16) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(2_u16.to_le_bytes()); // e_type: ET_EXEC
        file.extend(machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes()); // e_version
        file.extend([0; 24]); // e_entry, e_phoff, e_shoff
        file.extend([0; 4]); // e_flags
        for half in [64_u16, 56, 0, 64, 0, 0] {
            file.extend(half.to_le_bytes()); // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
        }
        file
    }

    /// The same with one segment of the given type and content.
    fn with_segment(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut file = static_program(62);
        file[32..40].copy_from_slice(&64_u64.to_le_bytes()); // e_phoff
        file[56..58].copy_from_slice(&1_u16.to_le_bytes()); // e_phnum
        file.extend(kind.to_le_bytes());
        file.extend([0; 4]); // p_flags
        let size = content.len() as u64;
        for field in [120, 0, 0, size, size, 1] {
            file.extend(field.to_le_bytes()); // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
        }
        file.extend(content);
        file
    }

    #[test]
    fn the_machine_must_be_the_platform() {
        let amd64 = Platform::linux_amd64();
        assert_eq!(check(&static_program(62)[..], &amd64, false), Ok(()));
        assert_eq!(
            check(&static_program(183)[..], &Platform::linux_arm64(), false),
            Ok(())
        );
        assert!(
            check(&static_program(183)[..], &amd64, false)
                .unwrap_err()
                .contains("is for linux/arm64, not for linux/amd64")
        );
        assert!(
            check(&static_program(9999)[..], &amd64, true)
                .unwrap_err()
                .contains("ELF machine 9999")
        );
        assert!(
            check(&b"#!/bin/sh\n"[..], &amd64, false)
                .unwrap_err()
                .contains("not an ELF binary")
        );
        assert!(check(&static_program(62)[..40], &amd64, false).is_err());
    }

    #[test]
    fn interpreters_and_needed_libraries_are_refused() {
        let amd64 = Platform::linux_amd64();
        let interpreted = with_segment(3, b"/lib64/ld-linux-x86-64.so.2\0");
        let tag = |tag: u64| [tag.to_le_bytes(), 1_u64.to_le_bytes()].concat();
        let needs = with_segment(2, &[tag(1), tag(0)].concat());
        for file in [&interpreted, &needs] {
            assert!(
                check(&file[..], &amd64, false)
                    .unwrap_err()
                    .contains("dynamically linked")
            );
            assert_eq!(check(&file[..], &amd64, true), Ok(()));
        }
        // A static-pie: PT_DYNAMIC without DT_NEEDED.
        assert_eq!(
            check(
                &with_segment(2, &[tag(5), tag(0)].concat())[..],
                &amd64,
                false
            ),
            Ok(())
        );
    }
}
