//! What the suites share: the tools as they were built, the cluster that
//! `cargo xtask test` started for the run, and a namespace for each test.
//!
//! Nothing is faked and nothing is skipped: a suite that finds no cluster fails. Suites of
//! images need no cluster: each of their tests starts a registry of its own.

// Demanding something of a result is often all a test does with it.
#![allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]

mod browser;
mod command;
mod fault_proxy;
mod image;
pub mod images;
mod moments;
mod namespace;
mod programs;
mod proxy;
mod registry;
mod shared;

pub use browser::{Look, look, paint};
pub use command::{Ran, run, tool};
pub use fault_proxy::{Deed, Fault, FaultProxy, Gate, Rule, Seen};
pub use image::Workshop;
pub use moments::Moments;
pub use namespace::Namespace;
pub use programs::{cosign, registry_programs};
pub use proxy::Proxy;
pub use registry::{Guard, Registry, registry_program};
pub use shared::Shared;
