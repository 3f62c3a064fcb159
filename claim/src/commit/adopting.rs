//! Counting in an RR that exists already: created by another controller, by hand, or under a claim that is gone.

use std::sync::Arc;

use super::Commit;
use super::state::{SeenClaim, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::{ClaimFields, Phase, Rr};

impl Commit {
    /// Before a new name is used: is there an active RR already? `seen` is the claim, if there is one, whose RR takes
    /// no more signals.
    pub(super) fn find_rr(&mut self, seen: Option<SeenClaim>) -> Step {
        let except = seen.as_ref().map(|seen| Arc::clone(&seen.claim.fields.intent));
        self.enter(State::Find { seen }, ApiCall::FindRr { except })
    }

    pub(super) fn on_found(&mut self, seen: Option<SeenClaim>, result: ApiResult, now: Now) -> Step {
        match (result, seen) {
            (ApiResult::Rr(rr), seen) if rr.fingerprint_matches && rr.phase == Phase::Active => {
                self.adopt(seen, &rr, now)
            }
            (ApiResult::Rr(_) | ApiResult::Missing, Some(seen)) => self.next(&seen, now),
            (ApiResult::Rr(_) | ApiResult::Missing, None) => self.create_claim(now),
            (_, seen) => self.find_rr(seen),
        }
    }

    /// Makes the claim name the RR, as one that has existed: once it is deleted, it must not be created again.
    fn adopt(&mut self, seen: Option<SeenClaim>, rr: &Rr, now: Now) -> Step {
        let name = Arc::clone(&rr.name);
        let call = match seen {
            Some(SeenClaim { claim, .. }) => {
                ApiCall::UpdateClaim { fields: claim.fields.adopting(name), version: claim.version }
            }
            None => ApiCall::CreateClaim(ClaimFields::of_adopted(name, now.unix_s())),
        };
        self.enter(State::AdoptRr { sent_ms: now.monotonic_ms }, call)
    }

    pub(super) fn on_adopted(&mut self, result: ApiResult, sent_ms: u64) -> Step {
        match result {
            ApiResult::Claim(claim) => self.check(SeenClaim { claim, written_ms: Some(sent_ms) }, 0),
            _ => self.restart(),
        }
    }
}
