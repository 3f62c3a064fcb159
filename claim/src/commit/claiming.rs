//! Who may create which name: reading, creating, taking over and renewing the claim.

use std::sync::Arc;

use super::{Commit, Hand, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::{Claim, ClaimFields, Phase};

impl Commit {
    pub(super) fn on_claim_read(&mut self, answer: ApiResult) -> Step {
        match answer {
            ApiResult::Claim(claim) => self.check(Hand { claim, written_ms: None }, 0),
            ApiResult::Missing => self.find_rr(None),
            _ => self.restart(),
        }
    }

    /// The first incident of a fingerprint.
    pub(super) fn create_claim(&mut self, now: Now) -> Step {
        let second = now.unix_s();
        let fields = ClaimFields {
            holder: Arc::clone(&self.parameters.identity),
            intent: self.fresh_name(second),
            created: false,
            floor: second,
            transitions: 0,
        };
        self.go(State::CreateClaim { sent_ms: now.monotonic_ms }, ApiCall::CreateClaim(fields))
    }

    /// Whoever creates must have written the claim version that it creates under; so only success goes on.
    pub(super) fn on_acquired(&mut self, answer: ApiResult, sent_ms: u64) -> Step {
        match answer {
            ApiResult::Claim(claim) => self.create_rr(Hand { claim, written_ms: Some(sent_ms) }, false),
            _ => self.restart(),
        }
    }

    /// Looks at the RR that the claim names. Every update of a claim rests on such a look made after the read or write
    /// that gave the claim's version.
    pub(super) fn check(&mut self, hand: Hand, polls: u16) -> Step {
        let name = Arc::clone(&hand.claim.fields.intent);
        self.go(State::Check { hand, polls }, ApiCall::GetRr { name })
    }

    pub(super) fn on_checked(&mut self, hand: Hand, polls: u16, answer: ApiResult, now: Now) -> Step {
        match answer {
            ApiResult::Rr(rr) if !rr.ours => self.find_rr(Some(hand)),
            // It may be a late create of an old name: confirmed first, counted then. A positive count is confirmed.
            ApiResult::Rr(rr) if rr.phase == Phase::Active && rr.count == 0 => self.fence(hand, rr),
            ApiResult::Rr(rr) if rr.phase.takes_signals(now.unix_ms) => self.count(Some(hand), rr),
            ApiResult::Rr(_) => self.find_rr(Some(hand)),
            ApiResult::Missing if hand.claim.fields.created => self.find_rr(Some(hand)),
            ApiResult::Missing if polls < self.parameters.help_polls && self.is_held_by_another(&hand.claim) => {
                self.state = State::AwaitHolder { hand, polls: polls + 1 };
                Step::Wait(self.parameters.help_poll_ms)
            }
            ApiResult::Missing => self.take_over(&hand, now),
            _ => self.check(hand, polls),
        }
    }

    /// Helps an open claim to its end: the same name, so that two helpers cannot make two RRs.
    fn take_over(&mut self, hand: &Hand, now: Now) -> Step {
        let fields = &hand.claim.fields;
        let acquired = fields.acquired(&self.parameters.identity, Arc::clone(&fields.intent), fields.floor);
        self.acquire(&hand.claim.version, acquired, now)
    }

    /// The claim's RR is over (ended, gone, or never ours) and nobody made another: a later name may be created.
    pub(super) fn next(&mut self, hand: &Hand, now: Now) -> Step {
        let second = now.unix_s().max(hand.claim.fields.floor.saturating_add(1));
        let acquired = hand.claim.fields.acquired(&self.parameters.identity, self.fresh_name(second), second);
        self.acquire(&hand.claim.version, acquired, now)
    }

    fn acquire(&mut self, version: &Arc<str>, fields: ClaimFields, now: Now) -> Step {
        self.go(
            State::AcquireClaim { sent_ms: now.monotonic_ms },
            ApiCall::UpdateClaim { version: Arc::clone(version), fields },
        )
    }

    fn is_held_by_another(&self, claim: &Claim) -> bool {
        !claim.fields.holder.is_empty() && claim.fields.holder != self.parameters.identity
    }

    fn fresh_name(&self, second: u64) -> Arc<str> {
        format!("{}-{second}", self.parameters.name_prefix).into()
    }
}
