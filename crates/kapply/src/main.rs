//! kapply
fn main() {}
