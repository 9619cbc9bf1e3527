//! hostname-server
fn main() {}
