//! `cargo xtask`: the project's commands. Thin: it runs other programs and says what is missing.

fn main() {}
