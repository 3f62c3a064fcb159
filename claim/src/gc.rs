//! Removing what no incident needs any more. Nobody waits for it, and dropping it between two calls is always safe.

mod claim;
mod rr;

use std::sync::Arc;

pub use self::claim::ClaimGc;
pub use self::rr::RrGc;
use crate::call::ApiCall;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GcStep {
    /// Execute the call and resume with its answer.
    Call(ApiCall),
    /// It is over.
    Over(GcOutcome),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GcOutcome {
    /// The object is gone, by this very call.
    Removed,
    /// The object was gone already.
    Gone,
    /// It is needed, or has changed since it was read.
    Kept,
    /// An open claim without an RR, at this version: it may go once that was seen unchanged for long.
    Open(Arc<str>),
    /// A call had no definite answer. Worth another try later.
    Unknown,
}
