//! Doubles for unit tests around the claim protocol.
//!
//! There is no fake API server: races are tested against a real one. What is written to it and read from it on the
//! [`wire`] is tested with scripted responses.

pub(crate) mod certificates;
pub(crate) mod objects;
pub(crate) mod wire;
