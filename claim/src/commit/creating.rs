//! Creating the RR that the claim names, and fencing one that may have come late.

use std::sync::Arc;

use super::{Commit, Hand, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::Rr;

impl Commit {
    /// Creates the intent of a claim whose version in `hand` this commit wrote.
    pub(super) fn create_rr(&mut self, hand: Hand, again: bool) -> Step {
        let name = Arc::clone(&hand.claim.fields.intent);
        self.attempted = Some(Arc::clone(&name));
        self.go(State::CreateRr { hand, again }, ApiCall::CreateRr { name })
    }

    pub(super) fn on_rr_created(&mut self, hand: Hand, again: bool, answer: ApiResult, now: Now) -> Step {
        match answer {
            // Nobody can have finished, deleted and succeeded this name within the moment since the claim's write.
            ApiResult::Rr(rr) if !again && self.is_prompt(&hand, now) => self.count(Some(hand), rr),
            ApiResult::Rr(rr) => self.fence(hand, rr),
            ApiResult::Conflict => self.check(hand, 0),
            _ => self.create_rr(hand, true),
        }
    }

    fn is_prompt(&self, hand: &Hand, now: Now) -> bool {
        hand.written_ms.is_some_and(|sent| now.monotonic_ms.saturating_sub(sent) <= self.parameters.prompt_ms)
    }

    /// Confirms that the claim still names this RR, before the first signal is counted in it.
    pub(super) fn fence(&mut self, hand: Hand, rr: Rr) -> Step {
        let version = Arc::clone(&hand.claim.version);
        let fields = hand.claim.fields.confirmed();
        self.go(State::Fence { hand, rr }, ApiCall::UpdateClaim { version, fields })
    }

    pub(super) fn on_fenced(&mut self, rr: Rr, hand: Hand, answer: ApiResult, now: Now) -> Step {
        match answer {
            ApiResult::Claim(claim) => {
                let written_ms = hand.written_ms.or(Some(now.monotonic_ms));
                self.count(Some(Hand { claim, written_ms }), rr)
            }
            // An RR of ours without a count must not outlive a claim that has moved on.
            _ if self.is_mine(&rr) => self.read_claim_after_fence(rr),
            _ => self.restart(),
        }
    }

    fn read_claim_after_fence(&mut self, rr: Rr) -> Step {
        self.go(State::FenceLost { rr }, ApiCall::GetClaim)
    }

    pub(super) fn on_claim_read_after_fence(&mut self, rr: Rr, answer: ApiResult) -> Step {
        match answer {
            ApiResult::Claim(claim) if claim.fields.intent == rr.name => {
                self.check(Hand { claim, written_ms: None }, 0)
            }
            ApiResult::Claim(_) | ApiResult::Missing => self.discard(rr),
            _ => self.read_claim_after_fence(rr),
        }
    }

    fn discard(&mut self, rr: Rr) -> Step {
        self.go(State::Discard { rr: rr.clone() }, ApiCall::DeleteRr { rr })
    }

    pub(super) fn on_discarded(&mut self, rr: Rr, answer: &ApiResult) -> Step {
        match answer {
            // On a conflict somebody has changed it since: the claim tells what it is now.
            ApiResult::Deleted | ApiResult::Missing | ApiResult::Conflict => self.restart(),
            _ => self.discard(rr),
        }
    }
}
