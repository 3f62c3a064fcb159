//! The claim protocol as a pure state machine: answers in, API calls out; no Kubernetes client, no clock, no I/O.
//!
//! The Lease of a fingerprint (its *claim*) is a consensus register for one question: which `RemediationRequest` (RR)
//! name may be created now? A [`Commit`] counts one batch of signals in exactly one RR, whatever other replicas do at
//! the same time, and whatever is lost, late or frozen. The caller executes each [`ApiCall`] against the API server and
//! hands the [`ApiResult`] back, until the machine is [`Done`].
//!
//! ```text
//! begin ─▶ Step::Call(call) ─▶ [API server] ─▶ resume(answer) ─▶ Step::… ─▶ Step::Done
//! ```
//!
//! Dropping a commit between two steps is always safe: what it had written stays, and any later commit of the same
//! fingerprint finishes from there. Its signals must then not be acknowledged.
//!
//! The protocol, and why each of its lines is there, is explained in `docs/protocol.md`. The model checker in the
//! crate `model` runs this very code.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod call;
mod commit;
mod gc;
mod record;

pub use call::{ApiCall, ApiResult, CommitOutcome, Done, Now, Step};
pub use commit::{Commit, Parameters, Stage};
pub use gc::{ClaimGc, GcOutcome, GcStep, RrGc};
pub use record::{Claim, ClaimFields, Phase, Rr};
