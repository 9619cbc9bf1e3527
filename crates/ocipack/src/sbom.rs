//! What an image's programs are made of, as `CycloneDX` 1.6: crates, versions and their graph as the
//! programs themselves say, licences and checksums as Cargo says, each marked with where it is from.

mod cargo;
mod cyclonedx;
mod program;

use std::collections::BTreeMap;
use std::path::Path;

use auditable_serde::VersionInfo;

use crate::compression::Format;
use crate::platform::Platform;
use crate::read::{ReadError, Source, read_layer};
use cargo::Cargo;

/// What else is known of an image's crates.
#[derive(Debug, Clone, Copy, Default)]
pub struct SbomOptions<'a> {
    /// The image for one platform of an index; all if not given.
    pub platform: Option<&'a Platform>,
    /// The Cargo.lock that the programs were built with, for checksums.
    pub cargo_lock: Option<&'a Path>,
    /// What `cargo metadata --format-version 1` printed, for licences.
    pub cargo_metadata: Option<&'a Path>,
}

/// Why there is no SBOM.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// The image cannot be read or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No program says what it is made of.
    #[error(
        "{image} has no program that says what it is made of; build it with `cargo auditable build`"
    )]
    Nothing {
        /// The layout or archive, with the platform if one was asked for.
        image: String,
    },
    /// A program's own list cannot be read.
    #[error("the list of crates in /{program} {problem}")]
    Program {
        /// Its path in the image.
        program: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of Cargo cannot be used.
    #[error("{path}: {problem}")]
    Cargo {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The document cannot be encoded.
    #[error("cannot encode the SBOM: {0}")]
    Json(#[from] serde_json::Error),
}

impl Source {
    /// Describes the crates of the one image's programs; equal images have equal documents.
    ///
    /// # Errors
    /// The image is damaged, none of its programs has cargo-auditable's data, or a file of Cargo
    /// is of other crates.
    pub fn sbom(&self, options: &SbomOptions<'_>) -> Result<String, SbomError> {
        let mut programs: BTreeMap<String, VersionInfo> = BTreeMap::new();
        for image in self.images()? {
            let platform = image.platform();
            if options.platform.is_some_and(|wanted| !image.fits(wanted)) {
                continue;
            }
            for descriptor in image.document.layers() {
                let layer = descriptor.digest();
                let damaged = |problem: String| self.damaged(format!("layer {layer} {problem}"));
                let format = Format::of(descriptor.media_type()).map_err(damaged)?;
                let content = read_layer(self.section(descriptor)?, format, |member, bytes| {
                    if let Some(list) = program::list(&member, bytes)? {
                        programs.insert(format!("{platform} {}", member.path), list);
                    }
                    Ok(())
                })
                .map_err(|error| damaged(format!("cannot be read: {error}")))?;
                if content.digest != *layer {
                    return Err(damaged(format!("has the content of {}", content.digest)).into());
                }
                content
                    .uncompressed
                    .map_err(|error| damaged(error.to_string()))?;
            }
        }
        if programs.is_empty() {
            let image = match options.platform {
                Some(platform) => format!("{}, for {platform},", self.path.display()),
                None => self.path.display().to_string(),
            };
            return Err(SbomError::Nothing { image });
        }
        let cargo = Cargo::read(options)?;
        let document = cyclonedx::document(self.name()?, self.digest()?, &programs, &cargo)?;
        Ok(serde_json::to_string_pretty(&document)?)
    }
}
