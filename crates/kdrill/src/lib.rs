//! kdrill
pub mod cluster;
pub mod command;
pub mod error;
pub mod judge;
pub mod load;
pub mod timeline;
