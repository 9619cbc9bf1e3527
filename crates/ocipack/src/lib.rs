//! Deterministic OCI images from static binaries: equal inputs are equal bytes, and one digest.
//!
//! Writing goes one way, each stage a folder or file that data passes through:
//! [`ImageSpec`] is built ([`ImageSpec::build`]: input → layer → configuration → manifest →
//! index) into a [`Built`], which is written as an OCI layout directory or as a single archive.
//!
//! Reading trusts nothing: a [`read::Source`] is opened from either form, inspected, verified
//! down to the entries of its layers, and [`load`]ed into a container runtime.
//!
//! ```no_run
//! use ocipack::{ImageSpec, Platform, read::Source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let image = ImageSpec {
//!     name: Some("registry.k8s.io/pause:3.10".into()),
//!     binary: [(Platform::linux_amd64(), "target/pause".into())].into(),
//!     user: Some("65535:65535".into()),
//!     ..ImageSpec::default()
//! };
//! let built = image.build()?;
//! built.write_archive("pause.tar".as_ref())?;
//!
//! let archive = Source::open("pause.tar")?;
//! assert_eq!(archive.digest()?, built.digest());
//! assert!(archive.verify().is_ok());
//! # Ok(())
//! # }
//! ```

mod build;
mod compression;
mod content;
mod diff;
mod digest;
mod graph;
pub mod load;
mod name;
pub mod passing;
mod platform;
mod provenance;
pub mod read;
mod reference;
pub mod registry;
mod sbom;
mod sign;
pub mod transfer;
mod unpack;
mod write;

pub use build::{
    ArtifactSpec, BaseError, BaseSpec, BuildError, Built, CargoError, Epoch, EpochError, ExtraFile,
    FileMode, ImageSpec, cargo_annotations,
};
pub use compression::{Compression, CompressionError};
pub use diff::{Difference, diff};
pub use name::{Name, NameError};
pub use oci_spec::image::Digest;
pub use platform::{Platform, PlatformError};
pub use provenance::{Provenance, ProvenanceError, ResolvedDependency};
pub use reference::{Reference, ReferenceError};
pub use sbom::{SbomError, SbomOptions};
pub use sign::{KeyError, PublicKey, SigningKey, Statement, StatementError};
pub use unpack::{UnpackError, UnpackOptions, Unpacked};
pub use write::WriteError;
