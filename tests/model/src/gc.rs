//! A run of the garbage collection.

use onceway_claim::{ApiCall, ApiResult, ClaimGc, GcStep, RrGc};

/// The state machine and its call in flight, which may be executed at any later time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GcRun {
    Rr(RrGc, ApiCall),
    Claim(ClaimGc, ApiCall),
}

impl GcRun {
    /// The call in flight.
    pub(crate) fn call(&self) -> &ApiCall {
        let (Self::Rr(_, call) | Self::Claim(_, call)) = self;
        call
    }

    /// The run after this result; `None` if it has finished.
    pub(crate) fn resume(self, result: ApiResult) -> Option<Self> {
        match self {
            Self::Rr(mut gc, _) => match gc.resume(result) {
                GcStep::Call(call) => Some(Self::Rr(gc, call)),
                GcStep::Done(_) => None,
            },
            Self::Claim(mut gc, _) => match gc.resume(result) {
                GcStep::Call(call) => Some(Self::Claim(gc, call)),
                GcStep::Done(_) => None,
            },
        }
    }
}
