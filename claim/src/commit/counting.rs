//! Counting the batch in an RR: one compare-and-swap, and what to do when its outcome is unknown.

use std::sync::Arc;

use super::{Commit, Hand, State};
use crate::call::{ApiCall, ApiResult, CommitOutcome, Done, Step};
use crate::record::Rr;

/// `occurrenceCount` is an int32. A count that reaches it stays there.
const MAX_COUNT: u32 = i32::MAX as u32;

impl Commit {
    pub(super) fn count(&mut self, hand: Option<Hand>, rr: Rr) -> Step {
        let call = self.count_call(&rr);
        self.go(State::Count { hand, rr }, call)
    }

    pub(super) fn on_counted(&mut self, hand: Option<Hand>, rr: Rr, answer: ApiResult) -> Step {
        match answer {
            ApiResult::Rr(counted) => self.finish(hand, &rr, counted),
            // Whatever moved the RR may have ended it: its phase is looked at again before anything is counted.
            ApiResult::Conflict => match hand {
                Some(hand) if hand.written_ms.is_some() => self.check(hand, 0),
                _ => self.restart(),
            },
            ApiResult::Missing => self.restart(),
            _ => self.doubt(hand, rr),
        }
    }

    /// The write may have happened, or may yet. Only the RR itself can tell.
    fn doubt(&mut self, hand: Option<Hand>, rr: Rr) -> Step {
        let name = Arc::clone(&rr.name);
        self.go(State::DoubtRead { hand, rr }, ApiCall::GetRr { name })
    }

    pub(super) fn on_doubt_read(&mut self, hand: Option<Hand>, rr: Rr, answer: &ApiResult) -> Step {
        match answer {
            // Not yet. The identical write again: of the two, only one can succeed.
            ApiResult::Rr(seen) if seen.uid == rr.uid && seen.version == rr.version => {
                let call = self.count_call(&rr);
                self.go(State::DoubtWrite { hand, rr }, call)
            }
            // Counts only grow, and the version has moved: it did not happen and cannot any more.
            ApiResult::Rr(seen) if seen.uid == rr.uid && seen.count < self.target(&rr) => self.restart(),
            // It is there, or others counted that far, or nothing is left to tell: adding again might count twice.
            ApiResult::Rr(_) | ApiResult::Missing => Step::Done(in_doubt()),
            _ => self.doubt(hand, rr),
        }
    }

    pub(super) fn on_doubt_written(&mut self, hand: Option<Hand>, rr: Rr, answer: ApiResult) -> Step {
        match answer {
            ApiResult::Rr(counted) => self.finish(hand, &rr, counted),
            _ => self.doubt(hand, rr),
        }
    }

    fn finish(&self, hand: Option<Hand>, before: &Rr, counted: Rr) -> Step {
        let mine = self.is_mine(&counted);
        // Another replica may have found our RR and counted in it first. An RR of ours that nobody has counted in is from
        // a commit that could not tell its senders.
        let created = mine && (before.count == 0 || self.attempted.as_ref() == Some(&counted.name));
        let aftermath = hand
            .filter(|hand| mine && hand.written_ms.is_some() && !hand.claim.fields.created)
            .map(|hand| ApiCall::UpdateClaim { fields: hand.claim.fields.confirmed(), version: hand.claim.version });
        Step::Done(Done { outcome: CommitOutcome::Counted { rr: counted, created }, aftermath })
    }

    fn count_call(&self, rr: &Rr) -> ApiCall {
        ApiCall::Count { count: self.target(rr), rr: rr.clone() }
    }

    fn target(&self, rr: &Rr) -> u32 {
        rr.count.saturating_add(self.signals.get()).min(MAX_COUNT)
    }
}

/// The end of a batch that is neither acknowledged nor added again.
pub(super) fn in_doubt() -> Done {
    Done { outcome: CommitOutcome::InDoubt, aftermath: None }
}
