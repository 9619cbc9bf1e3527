//! How long things take, side by side with the peers in one run. Numbers are
//! printed and never asserted.

mod go_tool;
pub mod kapply;
pub mod klab;
mod measure;
pub mod ocipack;
mod table;

pub use measure::measured;
