//! Counting in an RR that exists already: made by somebody else, by hand, or by a claim that is gone.

use std::sync::Arc;

use super::{Commit, Hand, State};
use crate::call::{Answer, Call, Now, Step};
use crate::record::{ClaimFields, Phase, Rr};

impl Commit {
    /// Before any name is minted: is there an active RR already? `hand` is the claim, if there is one; its RR is over.
    pub(super) fn find_rr(&mut self, hand: Option<Hand>) -> Step {
        let except = hand.as_ref().map(|hand| Arc::clone(&hand.claim.fields.intent));
        self.go(State::Find { hand }, Call::FindRr { except })
    }

    pub(super) fn on_found(&mut self, hand: Option<Hand>, answer: Answer, now: Now) -> Step {
        match (answer, hand) {
            (Answer::Rr(rr), hand) if rr.ours && rr.phase == Phase::Active => self.adopt(hand, &rr, now),
            (Answer::Rr(_) | Answer::Missing, Some(hand)) => self.next(&hand, now),
            (Answer::Rr(_) | Answer::Missing, None) => self.create_claim(now),
            (_, hand) => self.find_rr(hand),
        }
    }

    /// The claim names the RR from now on, as one that has existed: once it is deleted it must not be made again.
    fn adopt(&mut self, hand: Option<Hand>, rr: &Rr, now: Now) -> Step {
        let name = Arc::clone(&rr.name);
        let call = match hand {
            Some(Hand { claim, .. }) => {
                Call::UpdateClaim { fields: claim.fields.adopting(name), version: claim.version }
            }
            None => Call::CreateClaim(ClaimFields::of_adopted(name, now.unix_s())),
        };
        self.go(State::AdoptRr { sent_ms: now.monotonic_ms }, call)
    }

    pub(super) fn on_adopted(&mut self, answer: Answer, sent_ms: u64) -> Step {
        match answer {
            Answer::Claim(claim) => self.check(Hand { claim, written_ms: Some(sent_ms) }, 0),
            _ => self.restart(),
        }
    }
}
