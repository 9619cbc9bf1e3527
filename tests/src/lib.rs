//! What the suites share: the tools as they were built, the cluster that
//! `cargo xtask test` started for the run, and a namespace for each test.
//!
//! Nothing is faked and nothing is skipped: a suite that finds no cluster fails.

// Demanding something of a result is often all a test does with it.
#![allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]

mod command;
mod machine;
mod namespace;
mod proxy;
mod shared;

pub use command::{Ran, run, tool};
pub use machine::Traces;
pub use namespace::Namespace;
pub use proxy::Proxy;
pub use shared::Shared;
