//! Counting in an RR that exists already: made by somebody else, by hand, or by a claim that is gone.

use std::sync::Arc;

use super::{Commit, Hand, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::{ClaimFields, Phase, Rr};

impl Commit {
    /// Before any name is minted: is there an active RR already? `hand` is the claim, if there is one; its RR is over.
    pub(super) fn find_rr(&mut self, hand: Option<Hand>) -> Step {
        let except = hand.as_ref().map(|hand| Arc::clone(&hand.claim.fields.intent));
        self.go(State::Find { hand }, ApiCall::FindRr { except })
    }

    pub(super) fn on_found(&mut self, hand: Option<Hand>, answer: ApiResult, now: Now) -> Step {
        match (answer, hand) {
            (ApiResult::Rr(rr), hand) if rr.ours && rr.phase == Phase::Active => self.adopt(hand, &rr, now),
            (ApiResult::Rr(_) | ApiResult::Missing, Some(hand)) => self.next(&hand, now),
            (ApiResult::Rr(_) | ApiResult::Missing, None) => self.create_claim(now),
            (_, hand) => self.find_rr(hand),
        }
    }

    /// The claim names the RR from now on, as one that has existed: once it is deleted it must not be made again.
    fn adopt(&mut self, hand: Option<Hand>, rr: &Rr, now: Now) -> Step {
        let name = Arc::clone(&rr.name);
        let call = match hand {
            Some(Hand { claim, .. }) => {
                ApiCall::UpdateClaim { fields: claim.fields.adopting(name), version: claim.version }
            }
            None => ApiCall::CreateClaim(ClaimFields::of_adopted(name, now.unix_s())),
        };
        self.go(State::AdoptRr { sent_ms: now.monotonic_ms }, call)
    }

    pub(super) fn on_adopted(&mut self, answer: ApiResult, sent_ms: u64) -> Step {
        match answer {
            ApiResult::Claim(claim) => self.check(Hand { claim, written_ms: Some(sent_ms) }, 0),
            _ => self.restart(),
        }
    }
}
