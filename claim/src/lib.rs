//! The claim protocol as a pure state machine: API results in, API calls out; no Kubernetes client, no clock, no I/O.
//!
//! The Lease of a fingerprint (its *claim*) is a consensus register for one question: which `RemediationRequest` (RR)
//! name may be created now? A [`Commit`] counts one batch of signals in exactly one RR, whatever other replicas do at
//! the same time, and whatever calls are lost or delayed. The caller executes each [`ApiCall`] against the API server
//! and passes the [`ApiResult`] back, until the commit is [done](Step::Done).
//!
//! ```text
//! begin ─▶ Step::Call(call) ─▶ [API server] ─▶ resume(result) ─▶ Step::… ─▶ Step::Done
//! ```
//!
//! Dropping a commit between two steps is always safe: what it has written stays, and any later commit of the same
//! fingerprint continues from there. Its signals must then not be acknowledged.
//!
//! `docs/protocol.md` explains the protocol and the reason for each of its lines. The model checker in the crate
//! `model` runs this same code.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod call;
mod commit;
mod gc;
mod record;

pub use call::{ApiCall, ApiResult, CommitOutcome, Now, Step};
pub use commit::{Commit, Known, Parameters, Stage};
pub use gc::{ClaimGc, GcOutcome, GcStep, RrGc};
pub use record::{Claim, ClaimFields, Phase, Rr, SeenSignal};
