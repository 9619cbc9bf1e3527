//! Stage 5: judging. Pure functions over what was recorded: no cluster, no clock, no waiting, so
//! that each is tested with promises kept and promises broken.

pub mod failures;
pub mod images;
pub mod latency;
pub mod recovery;
pub mod share;
pub mod spread;
