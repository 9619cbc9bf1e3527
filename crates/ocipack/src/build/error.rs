//! Why an image is not built: each time nothing was left behind.

use std::io;
use std::path::PathBuf;

use super::base::BaseError;
use crate::name::NameError;
use crate::platform::Platform;

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to pack.
    #[error("no binary was given; give at least one, as in --binary linux/amd64=PATH")]
    NoBinary,
    /// The name is malformed or lacks a tag.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A field of the spec has a bad value.
    #[error("{0}")]
    Spec(String),
    /// An input file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Input {
        /// The file on this machine.
        path: PathBuf,
        /// What reading it said.
        source: io::Error,
    },
    /// A binary does not fit its platform or is not static.
    #[error("{} {problem}", path.display())]
    Binary {
        /// The file on this machine.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The base image does not fit.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A layer cannot be packed.
    #[error("cannot pack the layer of {platform} in {}: {source}", folder.display())]
    Layer {
        /// The image's platform.
        platform: Platform,
        /// Where it lies until it is written.
        folder: PathBuf,
        /// What packing it said.
        source: io::Error,
    },
    /// An artifact's files cannot be packed.
    #[error("cannot pack {} in {}: {source}", path.display(), folder.display())]
    Artifact {
        /// The folder or file.
        path: PathBuf,
        /// Where the layer lies until it is written.
        folder: PathBuf,
        /// What packing it said.
        source: io::Error,
    },
    /// A document cannot be made.
    #[error("cannot write the image's documents: {0}")]
    Document(#[from] oci_spec::OciSpecError),
    /// A document cannot be encoded.
    #[error("cannot encode the image's documents: {0}")]
    Json(#[from] serde_json::Error),
}
