//! The repository's own commands.
//!
//! `cargo xtask demo` takes the source to three replicas that survive losing a
//! node; `cargo xtask test` proves it. Both are a list of stages:
//!
//! 1. [`setup`] makes present what a fresh machine lacks;
//! 2. [`image`] builds the static server and its OCI image;
//! 3. [`cluster`] starts a klab cluster and gives it the image;
//! 4. [`demo`] runs the drills on it, [`mod@test`] runs the suites of `tests/`;
//!    [`mod@bench`] measures on one;
//! 5. [`flake`] evaluates and builds the flake, and its suite runs the flake's apps;
//! 6. the cluster goes down, whatever happened before ([`run`]), and
//!    [`machine`] says whether the machine is as it was.

pub mod bench;
pub mod cli;
pub mod cluster;
pub mod demo;
pub mod flake;
pub mod image;
pub mod machine;
pub mod repo;
pub mod run;
pub mod setup;
pub mod test;
