//! The claim protocol under a model checker: [stateright] explores every interleaving of the very code that the sidecar
//! runs, against an API server with linearizable compare-and-swap, within stated [`Bounds`].
//!
//! Beside it, protocols that fail: the designs that teams argue about, and the claim protocol with one part of it made easier.
//! The same model must find how each of them breaks; otherwise its silence about the right one would mean little.
//!
//! ```text
//! catalogue ─▶ Bounds ─▶ run ─▶ World ─ choices ─▶ Action ─ apply ─▶ World …  ─▶ properties hold, or a timeline
//! ```

mod action;
mod bounds;
pub mod catalogue;
mod chore;
mod ledger;
mod property;
mod protocol;
mod replica;
mod run;
mod server;
mod timeline;
mod token;
mod world;

pub use bounds::Bounds;
pub use property::{EXACT, ONE_COUNTED, ONE_RR};
pub use protocol::{Flaw, Names, Protocol, Reads, Rule};
pub use run::{Explored, counterexample, explore};
pub use world::ALONE_CALLS;
