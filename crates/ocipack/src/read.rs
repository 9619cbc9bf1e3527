//! An image from the disk, layout directory or archive, without trusting a byte of it: sizes
//! are bounded, digests are checked, and every finding names the object that it is about.

mod document;
mod image;
mod inspect;
mod layer;
pub(crate) mod name;
mod source;
mod store;
mod tape;
mod verify;

pub(crate) use document::MAX_DOCUMENT;
pub(crate) use image::{
    ARTIFACT, DOCKER_LIST, DOCKER_MANIFEST_TYPE, Image, is_attestation, is_config, is_index,
    is_manifest, platform,
};
pub use inspect::{EntrySummary, ImageSummary, LayerSummary, Summary};
pub(crate) use inspect::{index_annotations, sorted};
pub(crate) use layer::{LayerContent, entry_problem, read as read_layer};
pub use source::{ReadError, Source};
pub(crate) use tape::{Member, invalid};
pub use verify::{Problem, Verification};
