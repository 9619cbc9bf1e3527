//! The archives that a cluster keeps for its nodes: the pause image, which is
//! klab's own, and what `klab load` was given.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ocipack::{Epoch, ImageSpec, Platform, read::Source};

use crate::{
    error::{Context, Error, Result},
    state::{Folder, private_dir},
};

/// The sandbox image's name; containerd is told it.
pub const PAUSE_NAME: &str = "klab.local/pause:1";
/// Nobody: a pause process needs no rights.
const PAUSE_USER: &str = "65535:65535";

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
    private_dir(&folder.images())?;
    let platform = match std::env::consts::ARCH {
        "aarch64" => Platform::linux_arm64(),
        _ => Platform::linux_amd64(),
    };
    let spec = ImageSpec {
        name: Some(PAUSE_NAME.to_owned()),
        binary: [(platform, runtime.join("pause"))].into(),
        user: Some(PAUSE_USER.to_owned()),
        epoch: Epoch::default(),
        ..ImageSpec::default()
    };
    let packed = spec
        .build()
        .map_err(|error| Error::Image(error.to_string()))?;
    packed
        .write_archive(&folder.images().join("pause.tar"))
        .map_err(|error| Error::Image(error.to_string()))
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
