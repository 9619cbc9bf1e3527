//! klab
fn main() {}
