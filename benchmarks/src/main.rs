//! benchmarks.
fn main() {}
