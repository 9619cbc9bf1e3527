//! kdrill
fn main() {}
