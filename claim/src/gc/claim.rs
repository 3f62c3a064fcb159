//! Removing a claim whose RR is gone: otherwise every fingerprint ever seen leaves a Lease behind.

use std::sync::Arc;

use super::{GcOutcome, GcStep};
use crate::call::{ApiCall, ApiResult};
use crate::record::Claim;

/// Sweeps one claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimGc {
    /// The version that was seen unchanged for so long that nobody can be about to create under it.
    settled: Option<Arc<str>>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    ReadClaim,
    ReadRr { claim: Claim },
    Delete,
}

impl ClaimGc {
    /// Begins to look at the claim. An open claim, whose RR may yet be created, is removed only at the version `settled`,
    /// which the caller has seen unchanged for longer than any replica stands still.
    #[must_use]
    pub fn begin(settled: Option<Arc<str>>) -> (Self, ApiCall) {
        (Self { settled, state: State::ReadClaim }, ApiCall::GetClaim)
    }

    /// Takes the answer to the last call and says what to do next.
    pub fn resume(&mut self, answer: ApiResult) -> GcStep {
        match (&self.state, answer) {
            (_, ApiResult::Unknown) => GcStep::Over(GcOutcome::Unknown),
            (State::ReadClaim, ApiResult::Claim(claim)) => {
                let name = Arc::clone(&claim.fields.intent);
                self.state = State::ReadRr { claim };
                GcStep::Call(ApiCall::GetRr { name })
            }
            (State::ReadRr { claim }, ApiResult::Missing) if self.may_go(claim) => {
                let claim = claim.clone();
                self.state = State::Delete;
                GcStep::Call(ApiCall::DeleteClaim { claim })
            }
            (State::ReadRr { claim }, ApiResult::Missing) => GcStep::Over(GcOutcome::Open(Arc::clone(&claim.version))),
            (State::ReadClaim | State::Delete, ApiResult::Missing) => GcStep::Over(GcOutcome::Gone),
            (State::Delete, ApiResult::Deleted) => GcStep::Over(GcOutcome::Removed),
            _ => GcStep::Over(GcOutcome::Kept),
        }
    }

    fn may_go(&self, claim: &Claim) -> bool {
        claim.fields.created || self.settled.as_ref() == Some(&claim.version)
    }
}
