//! Creating the RR that the claim names, and fencing one that may have been created late.

use std::sync::Arc;

use super::Commit;
use super::state::{SeenClaim, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::Rr;

impl Commit {
    /// Creates the intent of a claim whose version in `seen` this commit wrote.
    pub(super) fn create_rr(&mut self, seen: SeenClaim, again: bool) -> Step {
        let (name, under) = (Arc::clone(&seen.claim.fields.intent), Arc::clone(&seen.claim.version));
        self.attempted = Some(Arc::clone(&name));
        self.enter(State::CreateRr { seen, again }, ApiCall::CreateRr { name, under })
    }

    pub(super) fn on_rr_created(&mut self, seen: SeenClaim, again: bool, result: ApiResult, now: Now) -> Step {
        match result {
            // The protocol's assumption on time: within `prompt_ms` of the claim's write, no other replica has created
            // and somebody deleted this name, and the incident moved on to a later one.
            ApiResult::Rr(rr) if !again && self.is_prompt(&seen, now) => self.count(Some(seen), rr),
            ApiResult::Rr(rr) => self.fence(seen, rr),
            ApiResult::Conflict => self.check(seen, 0),
            _ => self.create_rr(seen, true),
        }
    }

    fn is_prompt(&self, seen: &SeenClaim, now: Now) -> bool {
        seen.written_ms.is_some_and(|sent| now.monotonic_ms.saturating_sub(sent) <= self.parameters.prompt_ms)
    }

    /// Confirms that the claim still names this RR, before the first signal is counted in it.
    pub(super) fn fence(&mut self, seen: SeenClaim, rr: Rr) -> Step {
        let version = Arc::clone(&seen.claim.version);
        let fields = seen.claim.fields.confirmed();
        self.enter(State::Fence { seen, rr }, ApiCall::UpdateClaim { version, fields })
    }

    pub(super) fn on_fenced(&mut self, rr: Rr, seen: SeenClaim, result: ApiResult, now: Now) -> Step {
        match result {
            ApiResult::Claim(claim) => {
                let written_ms = seen.written_ms.or(Some(now.monotonic_ms));
                self.count(Some(SeenClaim { claim, written_ms }), rr)
            }
            // An RR that this process created and nobody counted in must not outlive a claim that has moved on.
            _ if self.is_created_here(&rr) => self.read_claim_after_fence(rr),
            _ => self.restart(),
        }
    }

    fn read_claim_after_fence(&mut self, rr: Rr) -> Step {
        self.enter(State::FenceLost { rr }, ApiCall::GetClaim)
    }

    pub(super) fn on_claim_read_after_fence(&mut self, rr: Rr, result: ApiResult) -> Step {
        match result {
            ApiResult::Claim(claim) if claim.fields.intent == rr.name => {
                self.check(SeenClaim { claim, written_ms: None }, 0)
            }
            ApiResult::Claim(_) | ApiResult::Missing => self.discard(rr),
            _ => self.read_claim_after_fence(rr),
        }
    }

    fn discard(&mut self, rr: Rr) -> Step {
        self.enter(State::Discard { rr: rr.clone() }, ApiCall::DeleteRr { rr })
    }

    pub(super) fn on_discarded(&mut self, rr: Rr, result: &ApiResult) -> Step {
        match result {
            // Conflict: the RR has changed since it was created; the claim decides what it is now.
            ApiResult::Deleted | ApiResult::Missing | ApiResult::Conflict => self.restart(),
            _ => self.discard(rr),
        }
    }
}
