//! Stage 8: what happened, for people and for programs.

pub mod conflict;
pub mod json;
pub mod progress;
pub mod set;
pub mod status;
pub mod text;
pub mod waited;
pub mod yaml;
