//! The claim protocol under a model checker: [stateright] explores every interleaving of the code that the sidecar
//! runs, against an API server with linearizable compare-and-swap, within stated [`Bounds`].
//!
//! It also explores protocols that fail: common designs, and the claim protocol with one part simplified. The model
//! must find how each of them breaks; otherwise a run without violations would prove little.
//!
//! ```text
//! catalogue ─▶ Bounds ─▶ run ─▶ World ─ choices ─▶ Action ─ apply ─▶ World …  ─▶ properties hold, or a timeline
//! ```

mod action;
mod bounds;
pub mod catalogue;
mod gc;
mod ledger;
mod property;
mod protocol;
mod replica;
mod run;
mod server;
mod timeline;
mod token;
mod transition;
mod world;

pub use bounds::Bounds;
pub use property::{EXACT, ONE_COUNTED, ONE_RR};
pub use protocol::{Flaw, Names, Protocol, Reads, Rule};
pub use run::{Explored, counterexample, explore};
pub use world::ALONE_CALLS;
