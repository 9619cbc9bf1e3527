//! ocipack
fn main() {}
