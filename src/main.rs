//! The command line of manifests-e2e.
fn main() {}
