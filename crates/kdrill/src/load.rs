//! Stage 3: requests. The generator (`kdrill load`) makes them at a constant rate and reports each
//! one on its standard output; the handle starts it where the cluster's network is, as a process or
//! as a Job, and listens.

pub mod aim;
pub mod generate;
pub mod handle;
pub mod job;
pub mod pool;
pub mod ports;
mod process;
pub mod received;
pub mod record;
pub mod request;
