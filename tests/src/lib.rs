//! The harness of the suites: a live cluster, a namespace for each test, our tools.
//!
//! `cargo xtask test` starts the cluster, loads the image and says in the
//! environment where both are. A test takes the [`Cluster`], makes a
//! [`Namespace`] that is gone when the test ends, and runs tools in it. Tests
//! of klab itself start clusters of their own ([`OwnCluster`]).

mod cluster;
mod namespace;
mod own_cluster;
mod tools;
mod wait;

pub use cluster::Cluster;
pub use namespace::Namespace;
pub use own_cluster::OwnCluster;
pub use tools::{line_count, stdout, tool, tool_path};
pub use wait::eventually;

use std::path::PathBuf;

/// The workspace's root.
///
/// # Panics
/// When the package was moved out of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the root")
        .to_path_buf()
}
