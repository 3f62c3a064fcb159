//! Who may create which name: reading, creating, taking over and renewing the claim.

use std::sync::Arc;

use super::Commit;
use super::state::{SeenClaim, State};
use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::{Claim, ClaimFields, Phase};

impl Commit {
    pub(super) fn on_claim_read(&mut self, result: ApiResult) -> Step {
        match result {
            ApiResult::Claim(claim) => self.check(SeenClaim { claim, written_ms: None }, 0),
            ApiResult::Missing => self.find_rr(None),
            _ => self.restart(),
        }
    }

    /// The first incident of a fingerprint.
    pub(super) fn create_claim(&mut self, now: Now) -> Step {
        let second = now.unix_s();
        let fields = ClaimFields {
            holder: Arc::clone(&self.parameters.identity),
            intent: self.new_name(second),
            created: false,
            floor: second,
            transitions: 0,
        };
        self.enter(State::CreateClaim { sent_ms: now.monotonic_ms }, ApiCall::CreateClaim(fields))
    }

    /// A process creates an RR only under a claim version that it wrote itself, so only success leads to a create.
    pub(super) fn on_acquired(&mut self, result: ApiResult, sent_ms: u64) -> Step {
        match result {
            ApiResult::Claim(claim) => self.create_rr(SeenClaim { claim, written_ms: Some(sent_ms) }, false),
            _ => self.restart(),
        }
    }

    /// Reads the RR that the claim names. Every update of a claim follows such a read, made after the read or write
    /// that returned the claim's version.
    pub(super) fn check(&mut self, seen: SeenClaim, polls: u16) -> Step {
        let (name, under) = (Arc::clone(&seen.claim.fields.intent), Some(Arc::clone(&seen.claim.version)));
        self.enter(State::Check { seen, polls }, ApiCall::GetRr { name, under })
    }

    pub(super) fn on_checked(&mut self, seen: SeenClaim, polls: u16, result: ApiResult, now: Now) -> Step {
        match result {
            ApiResult::Rr(rr) if !rr.fingerprint_matches => self.find_rr(Some(seen)),
            // It may be a late create of an old name: confirm the claim before counting. A positive count was
            // confirmed.
            ApiResult::Rr(rr) if rr.phase == Phase::Active && rr.count == 0 => self.fence(seen, rr),
            ApiResult::Rr(rr) if rr.phase.takes_signals(now.unix_ms) => self.count(Some(seen), rr),
            ApiResult::Rr(_) => self.find_rr(Some(seen)),
            ApiResult::Missing if seen.claim.fields.created => self.find_rr(Some(seen)),
            // It was created under this version, and its holder fences whatever it creates again: as if the claim said so.
            ApiResult::Gone => self.find_rr(Some(seen)),
            ApiResult::Missing if polls < self.parameters.help_polls && self.is_held_by_another(&seen.claim) => {
                self.state = State::AwaitHolder { seen, polls: polls + 1 };
                Step::Wait(self.parameters.help_poll_ms)
            }
            ApiResult::Missing => self.take_over(&seen, now),
            _ => self.check(seen, polls),
        }
    }

    /// Finishes an open claim under the same name, so that two helpers cannot create two RRs.
    fn take_over(&mut self, seen: &SeenClaim, now: Now) -> Step {
        let fields = &seen.claim.fields;
        let acquired = fields.acquired(&self.parameters.identity, Arc::clone(&fields.intent), fields.floor);
        self.acquire(&seen.claim.version, acquired, now)
    }

    /// The claim's RR is terminal, gone or of another fingerprint, and no other RR is active: a later name may be
    /// created.
    pub(super) fn next(&mut self, seen: &SeenClaim, now: Now) -> Step {
        let second = now.unix_s().max(seen.claim.fields.floor.saturating_add(1));
        let acquired = seen.claim.fields.acquired(&self.parameters.identity, self.new_name(second), second);
        self.acquire(&seen.claim.version, acquired, now)
    }

    fn acquire(&mut self, version: &Arc<str>, fields: ClaimFields, now: Now) -> Step {
        self.enter(
            State::AcquireClaim { sent_ms: now.monotonic_ms },
            ApiCall::UpdateClaim { version: Arc::clone(version), fields },
        )
    }

    fn is_held_by_another(&self, claim: &Claim) -> bool {
        !claim.fields.holder.is_empty() && claim.fields.holder != self.parameters.identity
    }

    fn new_name(&self, second: u64) -> Arc<str> {
        format!("{}-{second}", self.parameters.name_prefix).into()
    }
}
