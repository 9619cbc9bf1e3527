//! The archives that a cluster keeps for its nodes: the pause image, which is
//! klab's own, and what `klab load` was given.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ocipack::{Compression, Epoch, ImageSpec, Platform, read::Source};

use crate::{
    error::{Context, Error, Result},
    state::{Folder, private_dir},
};

/// The sandbox image's name; containerd is told it.
pub const PAUSE_NAME: &str = "klab.local/pause:1";
/// The name server's image.
pub const NAME_SERVER_NAME: &str = "klab.local/coredns:1";
/// Nobody: neither needs any rights.
const USER: &str = "65535:65535";

/// An archive in the cluster's folder.
#[derive(Debug)]
pub struct Kept {
    /// The image's full name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// The copy.
    pub archive: PathBuf,
}

/// Packs the pause program into the sandbox image.
///
/// # Errors
/// When the program is missing or the disk refuses.
pub fn keep_pause(folder: &Folder, runtime: &Path) -> Result<()> {
    let archive = folder.images().join("pause.tar");
    pack(PAUSE_NAME, &runtime.join("pause"), &archive)
}

/// Packs the name server, which runs on servers only.
///
/// # Errors
/// When the program is missing or the disk refuses.
pub fn keep_name_server(folder: &Folder, program: &Path) -> Result<()> {
    let archive = folder.server_images().join("coredns.tar");
    pack(NAME_SERVER_NAME, program, &archive)
}

fn pack(name: &str, program: &Path, archive: &Path) -> Result<()> {
    if let Some(folder) = archive.parent() {
        private_dir(folder)?;
    }
    let platform = match std::env::consts::ARCH {
        "aarch64" => Platform::linux_arm64(),
        _ => Platform::linux_amd64(),
    };
    let refuse = |error: &dyn std::fmt::Display| Error::Image(format!("{name}: {error}"));
    let compression: Compression = "none".parse().map_err(|error| refuse(&error))?;
    let spec = ImageSpec {
        name: Some(name.to_owned()),
        binary: [(platform, program.to_owned())].into(),
        user: Some(USER.to_owned()),
        // It goes nowhere but into the next process.
        compression,
        epoch: Epoch::default(),
        ..ImageSpec::default()
    };
    let packed = spec.build().map_err(|error| refuse(&error))?;
    packed
        .write_archive(archive)
        .map_err(|error| refuse(&error))
}

/// Checks every byte of an archive, and copies it into the cluster's folder.
///
/// # Errors
/// When it is no archive of an image with a name, or not what it says it is.
pub fn keep(folder: &Folder, archive: &Path) -> Result<Kept> {
    let refuse =
        |error: &dyn std::fmt::Display| Error::Image(format!("{}: {error}", archive.display()));
    if archive.is_dir() {
        return Err(refuse(
            &"is a layout folder; containerd takes a single file, made with: ocipack build … -o FILE.tar",
        ));
    }
    let source = Source::open(archive).map_err(|error| refuse(&error))?;
    if let Some(problem) = source.verify().problems.first() {
        return Err(refuse(&format_args!(
            "{}: {}",
            problem.object, problem.problem
        )));
    }
    let name = source.name().map_err(|error| refuse(&error))?.ok_or_else(|| {
        refuse(&"the image has no name; give it one when it is built, as in: ocipack build --name web:1 …")
    })?;
    let digest = source.digest().map_err(|error| refuse(&error))?.to_string();

    private_dir(&folder.images())?;
    let copy = folder
        .images()
        .join(format!("{}.tar", digest.replace(':', "-")));
    let partial = copy.with_extension("partial");
    fs::copy(archive, &partial).file("cannot copy to", &partial)?;
    fs::rename(&partial, &copy).file("cannot rename to", &copy)?;
    Ok(Kept {
        name: name.to_string(),
        digest,
        archive: copy,
    })
}
