//! kdrill proves what a Kubernetes workload promises, by drills under load.
//!
//! A run passes through these stages:
//!
//! 1. [`cluster`]: the connection, the Deployment and Service in question, a live view of them.
//! 2. [`timeline`]: one recorder keeps everything that happens on one clock.
//! 3. [`load`]: requests at a constant rate, each accounted for.
//! 4. [`drills`]: what is done to the cluster; each drill is a file.
//! 5. [`judge`]: pure functions that say whether a promise held.
//! 6. [`report`]: timeline.json, report.html, junit.xml, and the summary.
//!
//! [`run`] takes a plan through them; [`putback`] undoes what drills change, come what may.
//! [`compare`] sets two runs side by side.

pub mod cli;
pub mod cluster;
pub mod command;
pub mod compare;
pub mod drills;
pub mod error;
pub mod files;
pub mod judge;
pub mod limits;
pub mod live;
pub mod load;
pub mod plan;
pub mod progress;
pub mod putback;
pub mod report;
pub mod run;
pub mod signals;
pub mod timeline;
