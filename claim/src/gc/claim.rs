//! Deletes a claim whose RR is gone: otherwise every fingerprint ever seen leaves a Lease behind.

use std::sync::Arc;

use super::{GcOutcome, GcStep};
use crate::call::{ApiCall, ApiResult};
use crate::record::Claim;

/// The collection of one claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimGc {
    /// The version that stayed unchanged for so long that no process can still be about to create under it.
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
    /// Begins with a read of the claim. An open claim, whose RR may yet be created, is deleted only at the version
    /// `settled`, which the caller has seen unchanged for longer than any replica can be frozen.
    #[must_use]
    pub fn begin(settled: Option<Arc<str>>) -> (Self, ApiCall) {
        (Self { settled, state: State::ReadClaim }, ApiCall::GetClaim)
    }

    /// Takes the result of the last call and returns the next step.
    pub fn resume(&mut self, result: ApiResult) -> GcStep {
        match (&self.state, result) {
            (_, ApiResult::Unknown) => GcStep::Done(GcOutcome::Unknown),
            (State::ReadClaim, ApiResult::Claim(claim)) => {
                let (name, under) = (Arc::clone(&claim.fields.intent), Some(Arc::clone(&claim.version)));
                self.state = State::ReadRr { claim };
                GcStep::Call(ApiCall::GetRr { name, under })
            }
            // Gone: its RR existed, as if the claim said so.
            (State::ReadRr { claim }, missing @ (ApiResult::Missing | ApiResult::Gone))
                if missing == ApiResult::Gone || self.is_created_or_settled(claim) =>
            {
                let claim = claim.clone();
                self.state = State::Delete;
                GcStep::Call(ApiCall::DeleteClaim { claim })
            }
            (State::ReadRr { claim }, ApiResult::Missing) => GcStep::Done(GcOutcome::Open(Arc::clone(&claim.version))),
            (State::ReadClaim | State::Delete, ApiResult::Missing) => GcStep::Done(GcOutcome::Gone),
            (State::Delete, ApiResult::Deleted) => GcStep::Done(GcOutcome::Removed),
            _ => GcStep::Done(GcOutcome::Kept),
        }
    }

    fn is_created_or_settled(&self, claim: &Claim) -> bool {
        claim.fields.created || self.settled.as_ref() == Some(&claim.version)
    }
}
