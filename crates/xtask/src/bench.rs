//! How long things take, side by side with the peers in one run. Numbers are
//! printed and never asserted.

mod go_tool;
pub mod kapply;
pub mod klab;
mod measure;
pub mod ocipack;
mod table;

use std::fs;

use anyhow::Context;
use tempfile::TempDir;

pub use measure::measured;

use crate::repo::Repo;

/// A folder beside what is built, where there is room for large files; it is gone with the bench.
fn folder(repo: &Repo) -> anyhow::Result<TempDir> {
    let target = &repo.target;
    fs::create_dir_all(target).with_context(|| format!("making {}", target.display()))?;
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(target)
        .with_context(|| format!("making a folder in {}", target.display()))
}
