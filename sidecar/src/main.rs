//! The `onceway` binary.

fn main() {}
