//! The cluster's network: one switch in a network namespace of its own, one
//! cable to each node. The machine's own network namespace gets nothing.

pub mod cable;
pub mod forward;
pub mod link;
pub mod registry;
pub mod slow;
pub(crate) mod supervise;
pub mod switch;

/// The role of the switch's process among the cluster's members.
pub const SWITCH_ROLE: &str = "switch";
