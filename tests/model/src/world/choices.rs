//! The actions that are possible in a state.

use std::sync::Arc;

use onceway_claim::{ApiCall, Phase};

use super::World;
use crate::action::Action;

impl World {
    /// Appends all possible actions.
    pub(crate) fn choices(&self, actions: &mut Vec<Action>) {
        for index in 0..self.replicas.len() {
            self.of_replica(index, actions);
        }
        actions.extend((0..self.late.len()).map(Action::ExecuteLate));
        self.of_rrs(actions);
        self.of_gc(actions);
        if self.remaining.foreign_rrs > 0 {
            actions.push(Action::ForeignRr);
        }
    }

    fn of_replica(&self, index: usize, actions: &mut Vec<Action>) {
        let replica = &self.replicas[index];
        if self.remaining.signals > 0 && replica.takes_signals() {
            actions.push(Action::Submit(index));
            if replica.may_be_new() {
                actions.push(Action::SubmitNew(index));
            }
        }
        if self.remaining.crashes > 0 {
            actions.push(Action::Crash(index));
        }
        if replica.batch.is_none() {
            return;
        }
        match replica.call() {
            None => actions.push(Action::Elapse(index)),
            Some(ApiCall::FindRr { except }) if !self.remaining.protocol.searches_exactly() => {
                let found = self.server.found(except.as_ref()).map(|rr| Some(Arc::clone(&rr.name)));
                actions.extend(found.chain([None]).map(|found| Action::Find(index, found)));
            }
            Some(call) => {
                if self.remaining.protocol.commits() && self.server.is_gone(call) {
                    actions.push(Action::FindGone(index));
                }
                actions.extend(replica.paces().iter().map(|pace| Action::Execute(index, *pace)));
            }
        }
        if self.remaining.lost_responses > 0 && replica.call().is_some() {
            actions.push(Action::LoseResponse(index));
        }
        if self.remaining.deadlines > 0 {
            actions.push(Action::Deadline(index));
        }
    }

    fn of_rrs(&self, actions: &mut Vec<Action>) {
        for rr in self.server.rrs() {
            let may =
                |remaining: u8, action: fn(Arc<str>) -> Action| (remaining > 0).then(|| action(Arc::clone(&rr.name)));
            let is_active = rr.phase == Phase::Active;
            actions.extend(may(if is_active { self.remaining.terminations } else { 0 }, Action::Terminate));
            actions.extend(may(if is_active { 0 } else { self.remaining.terminal_deletions }, Action::DeleteTerminal));
            actions.extend(may(self.remaining.deletions, Action::Delete));
            actions.extend(may(self.remaining.foreign_writes, Action::ForeignWrite));
        }
    }

    fn of_gc(&self, actions: &mut Vec<Action>) {
        if self.gc.is_some() {
            actions.push(Action::GcStep);
            if self.gc.as_ref().is_some_and(|gc| self.server.is_gone(gc.call())) {
                actions.push(Action::GcFindsGone);
            }
            return;
        }
        if self.remaining.rr_gcs > 0 {
            let uncounted = self.server.active().filter(|rr| rr.count == 0);
            actions.extend(uncounted.map(|rr| Action::StartRrGc(Arc::clone(&rr.name))));
        }
        if self.remaining.claim_gcs > 0 && self.server.claim().is_some() {
            actions.push(Action::StartClaimGc(false));
            // Once a claim has settled, every process that could create under it has done so or given up.
            if self.remaining.protocol.collects_open_claims() || self.is_at_rest() {
                actions.push(Action::StartClaimGc(true));
            }
        }
    }
}
