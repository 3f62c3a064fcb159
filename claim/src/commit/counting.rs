//! Counting the batch in an RR: one compare-and-swap, and the resolution of its outcome where that is unknown.

use std::sync::Arc;

use super::Commit;
use super::state::{SeenClaim, State};
use crate::call::{ApiCall, ApiResult, CommitOutcome, Step};
use crate::record::Rr;

/// `occurrenceCount` is an int32. A count that reaches it stays there.
const MAX_COUNT: u32 = i32::MAX as u32;

impl Commit {
    pub(super) fn count(&mut self, seen: Option<SeenClaim>, rr: Rr) -> Step {
        let call = self.count_call(&rr);
        self.enter(State::Count { seen, rr }, call)
    }

    pub(super) fn on_counted(&mut self, seen: Option<SeenClaim>, rr: Rr, result: ApiResult) -> Step {
        match result {
            ApiResult::Rr(counted) => self.finish(&rr, counted),
            // The write that moved the version may have made the RR terminal: read its phase again before counting.
            ApiResult::Conflict => match seen {
                Some(seen) if seen.written_ms.is_some() => self.check(seen, 0),
                _ => self.restart(),
            },
            ApiResult::Missing => self.restart(),
            _ => self.resolve(seen, rr),
        }
    }

    /// The write may have happened, or may happen later. Only the RR itself tells which.
    fn resolve(&mut self, seen: Option<SeenClaim>, rr: Rr) -> Step {
        let name = Arc::clone(&rr.name);
        self.enter(State::ResolveRead { seen, rr }, ApiCall::GetRr { name, under: None })
    }

    pub(super) fn on_resolve_read(&mut self, seen: Option<SeenClaim>, rr: Rr, result: &ApiResult) -> Step {
        match result {
            // Not written yet. Repeat the identical write: of the two, only one can succeed.
            ApiResult::Rr(current) if current.uid == rr.uid && current.version == rr.version => {
                let call = self.count_call(&rr);
                self.enter(State::ResolveWrite { seen, rr }, call)
            }
            // Counts only grow, and the version has moved: the write did not happen and cannot any more.
            ApiResult::Rr(current) if current.uid == rr.uid && current.count < self.target(&rr) => self.restart(),
            // The write happened, or others counted that far, or the RR is gone: adding again might count twice.
            ApiResult::Rr(_) | ApiResult::Missing | ApiResult::Gone => Step::Done(CommitOutcome::Unresolved),
            _ => self.resolve(seen, rr),
        }
    }

    pub(super) fn on_resolve_written(&mut self, seen: Option<SeenClaim>, rr: Rr, result: ApiResult) -> Step {
        match result {
            ApiResult::Rr(counted) => self.finish(&rr, counted),
            _ => self.resolve(seen, rr),
        }
    }

    fn finish(&self, before: &Rr, counted: Rr) -> Step {
        let created_here = self.is_created_here(&counted);
        // `attempted`: this commit created the RR, even if another replica counted in it first. Count 0: an earlier
        // commit of this process created the RR and could not answer its senders 201.
        let created = created_here && (before.count == 0 || self.attempted.as_ref() == Some(&counted.name));
        Step::Done(CommitOutcome::Counted { rr: counted, created })
    }

    fn count_call(&self, rr: &Rr) -> ApiCall {
        ApiCall::Count { count: self.target(rr), rr: rr.clone() }
    }

    fn target(&self, rr: &Rr) -> u32 {
        rr.count.saturating_add(self.signals.get()).min(MAX_COUNT)
    }
}
