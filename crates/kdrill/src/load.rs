//! Stage 3: requests. The generator (`kdrill load`) makes them at a constant rate and reports each
//! one on its standard output; the handle starts it where the cluster's network is, and listens.

pub mod aim;
pub mod generate;
pub mod handle;
pub mod pool;
pub mod ports;
pub mod received;
pub mod record;
pub mod request;
