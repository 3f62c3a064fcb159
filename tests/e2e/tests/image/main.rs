//! The sidecar's image: its program runs in a root with nothing but the image's files and what a kubelet mounts.
//!
//! A test target of its own, because the image takes a build of its own: `cargo xtask test --test image`.

mod container;
// Its name is how a run without images leaves its tests out.
mod in_an_empty_root;
