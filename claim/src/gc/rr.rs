//! Deletes an RR that a sidecar created too late: active, without a count, and no claim names it.
//!
//! Its creator deletes such an RR itself, unless it died before it could. The order of the two reads makes the
//! collection safe. Once the claim names another RR, only an adoption can name this one again. The adopter then either
//! counts in it, which moves its version so that the delete fails, or finds it gone and starts over.

use std::sync::Arc;

use super::{GcOutcome, GcStep};
use crate::call::{ApiCall, ApiResult};
use crate::record::{Phase, Rr};

/// The collection of one RR.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RrGc {
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    ReadRr,
    ReadClaim { rr: Rr },
    Delete,
}

impl RrGc {
    /// Begins with a read of the RR of this name.
    #[must_use]
    pub fn begin(name: Arc<str>) -> (Self, ApiCall) {
        (Self { state: State::ReadRr }, ApiCall::GetRr { name, under: None })
    }

    /// Takes the result of the last call and returns the next step.
    pub fn resume(&mut self, result: ApiResult) -> GcStep {
        match (&self.state, result) {
            (_, ApiResult::Unknown) => GcStep::Done(GcOutcome::Unknown),
            (State::ReadRr, ApiResult::Rr(rr)) if is_active_uncounted_with_creator_and_fingerprint(&rr) => {
                self.state = State::ReadClaim { rr };
                GcStep::Call(ApiCall::GetClaim)
            }
            (State::ReadRr | State::Delete, ApiResult::Missing | ApiResult::Gone) => GcStep::Done(GcOutcome::Gone),
            (State::Delete, ApiResult::Deleted) => GcStep::Done(GcOutcome::Removed),
            (State::ReadClaim { rr }, ApiResult::Missing) => self.delete(rr.clone()),
            (State::ReadClaim { rr }, ApiResult::Claim(claim)) if claim.fields.intent != rr.name => {
                self.delete(rr.clone())
            }
            _ => GcStep::Done(GcOutcome::Kept),
        }
    }

    fn delete(&mut self, rr: Rr) -> GcStep {
        self.state = State::Delete;
        GcStep::Call(ApiCall::DeleteRr { rr })
    }
}

/// Only a sidecar sets the creator. RRs without one belong to others, who remove them, even without a count.
fn is_active_uncounted_with_creator_and_fingerprint(rr: &Rr) -> bool {
    rr.phase == Phase::Active && rr.count == 0 && !rr.creator.is_empty() && rr.fingerprint_matches
}
