//! Stage 2: what happened when. One recorder keeps every change of the cluster and every event of
//! the run on one clock; drills wait on it, and the report is made of it.

pub mod document;
pub mod events;
pub mod placement;
pub mod recorder;
pub mod series;
