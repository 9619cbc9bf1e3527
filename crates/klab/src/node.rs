//! A node's life: launched into namespaces of its own, kept running by its
//! PID 1, ended by a power cut.
//!
//! ```text
//! klab up ──▶ internal launch   one thread: new network, cgroups, other namespaces
//!                └─▶ internal init   PID 1: mounts, then the components, for ever
//! ```

pub mod enter;
pub mod init;
pub mod launch;
mod mounts;
mod supervise;
