//! What one cluster can take, computed from measured costs and simulated: the tables of `docs/scale.md`.
//!
//! Pure: no I/O and no clock. Whatever is random comes from a fixed seed, so that the tables are always the same and a test can
//! compare them with the page.

pub mod cluster;
pub mod cost;
pub mod demand;
pub mod page;
mod random;
pub mod simulation;
mod table;
