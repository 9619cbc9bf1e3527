//! Stage 1: what the cluster is. A connection, the objects the drills are about, and a live view.

pub mod connect;
pub mod controllers;
pub mod field;
pub mod manifests;
pub mod name_server;
pub mod nodes;
pub mod probes;
pub mod target;
pub mod view;
pub mod watch;
