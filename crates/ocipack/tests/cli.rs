//! The command on real files: what it builds, what it refuses, what it finds, what it hands on.

#[path = "cli/base.rs"]
mod base;
#[path = "cli/build.rs"]
mod build;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "cli/key.rs"]
mod key;
#[path = "cli/load.rs"]
mod load;
#[path = "cli/registry.rs"]
mod registry;
#[path = "cli/shelf.rs"]
mod shelf;
#[path = "cli/unpack.rs"]
mod unpack;
#[path = "cli/verify.rs"]
mod verify;
