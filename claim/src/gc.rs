//! Garbage collection of claims and RRs that no incident needs. Runs off the request path; dropping it between two
//! calls is always safe.

mod claim;
mod rr;

use std::sync::Arc;

pub use self::claim::ClaimGc;
pub use self::rr::RrGc;
use crate::call::ApiCall;

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GcStep {
    /// Execute the call and resume with its result.
    Call(ApiCall),
    /// The collection of this object has finished.
    Done(GcOutcome),
}

/// The end of the collection of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GcOutcome {
    /// This collection deleted the object.
    Removed,
    /// The object was gone already.
    Gone,
    /// The object is needed, or has changed since it was read.
    Kept,
    /// An open claim without an RR, at this version: it may be deleted once that version has stayed unchanged long
    /// enough.
    Open(Arc<str>),
    /// A call had no definite result. To be retried later.
    Unknown,
}
