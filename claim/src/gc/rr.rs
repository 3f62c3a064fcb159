//! Removing an RR that was created too late: active, without a count, and no claim names it.
//!
//! Its creator removes such an RR itself, unless it died just then. The order of the two reads makes this right: once the
//! claim is seen to name another RR, only an adoption can name this one again, and whoever adopts it counts in it, which
//! moves its version, so that the delete fails; or finds it gone, and begins anew.

use std::sync::Arc;

use super::{GcOutcome, GcStep};
use crate::call::{ApiCall, ApiResult};
use crate::record::{Phase, Rr};

/// Reaps one RR.
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
    /// Begins to look at the RR of this name.
    #[must_use]
    pub fn begin(name: Arc<str>) -> (Self, ApiCall) {
        (Self { state: State::ReadRr }, ApiCall::GetRr { name })
    }

    /// Takes the answer to the last call and says what to do next.
    pub fn resume(&mut self, answer: ApiResult) -> GcStep {
        match (&self.state, answer) {
            (_, ApiResult::Unknown) => GcStep::Over(GcOutcome::Unknown),
            (State::ReadRr, ApiResult::Rr(rr)) if is_ours_without_a_count(&rr) => {
                self.state = State::ReadClaim { rr };
                GcStep::Call(ApiCall::GetClaim)
            }
            (State::ReadRr | State::Delete, ApiResult::Missing) => GcStep::Over(GcOutcome::Gone),
            (State::Delete, ApiResult::Deleted) => GcStep::Over(GcOutcome::Removed),
            (State::ReadClaim { rr }, ApiResult::Missing) => self.delete(rr.clone()),
            (State::ReadClaim { rr }, ApiResult::Claim(claim)) if claim.fields.intent != rr.name => {
                self.delete(rr.clone())
            }
            _ => GcStep::Over(GcOutcome::Kept),
        }
    }

    fn delete(&mut self, rr: Rr) -> GcStep {
        self.state = State::Delete;
        GcStep::Call(ApiCall::DeleteRr { rr })
    }
}

/// RRs that others made are theirs to remove, even without a count.
fn is_ours_without_a_count(rr: &Rr) -> bool {
    rr.ours && !rr.creator.is_empty() && rr.phase == Phase::Active && rr.count == 0
}
