//! Somebody who tidies up.

use onceway_claim::{ApiCall, ApiResult, ClaimGc, GcStep, RrGc};

/// What he is at, and the call that he has under way. It may be executed at any later time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Chore {
    RrGc(RrGc, ApiCall),
    ClaimGc(ClaimGc, ApiCall),
}

impl Chore {
    /// The call under way.
    pub(crate) fn call(&self) -> &ApiCall {
        let (Self::RrGc(_, call) | Self::ClaimGc(_, call)) = self;
        call
    }

    /// What is to be done next, if it is not over.
    pub(crate) fn resume(self, answer: ApiResult) -> Option<Self> {
        match self {
            Self::RrGc(mut reap, _) => match reap.resume(answer) {
                GcStep::Call(call) => Some(Self::RrGc(reap, call)),
                GcStep::Over(_) => None,
            },
            Self::ClaimGc(mut sweep, _) => match sweep.resume(answer) {
                GcStep::Call(call) => Some(Self::ClaimGc(sweep, call)),
                GcStep::Over(_) => None,
            },
        }
    }
}
