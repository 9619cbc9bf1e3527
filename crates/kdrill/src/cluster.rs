//! Stage 1: what the cluster is. A connection, the objects the drills are about, and a live view.

pub mod connect;
pub mod scale;
pub mod target;
pub mod view;
pub mod watch;
