//! What may happen next in a state.

use std::sync::Arc;

use onceway_claim::{ApiCall, Phase};

use super::World;
use crate::action::Action;

impl World {
    /// Everything that may.
    pub(super) fn choices(&self, actions: &mut Vec<Action>) {
        for index in 0..self.replicas.len() {
            self.of_replica(index, actions);
        }
        actions.extend((0..self.late.len()).map(Action::Execute));
        self.of_rrs(actions);
        self.of_chore(actions);
        if self.left.intrusions > 0 {
            actions.push(Action::Intrude);
        }
    }

    fn of_replica(&self, index: usize, actions: &mut Vec<Action>) {
        let replica = &self.replicas[index];
        if self.left.signals > 0 && replica.takes_signals() {
            actions.push(Action::Submit(index));
        }
        if self.left.crashes > 0 {
            actions.push(Action::Crash(index));
        }
        if replica.work.is_none() {
            return;
        }
        match replica.call() {
            None => actions.push(Action::Elapse(index)),
            Some(ApiCall::FindRr { except }) if !self.left.protocol.searches_exactly() => {
                let found = self.server.found(except.as_ref()).map(|rr| Some(Arc::clone(&rr.name)));
                actions.extend(found.chain([None]).map(|found| Action::Find(index, found)));
            }
            Some(_) => actions.extend(replica.paces().iter().map(|pace| Action::ApiResult(index, *pace))),
        }
        if self.left.losses > 0 && replica.call().is_some() {
            actions.push(Action::Lose(index));
        }
        if self.left.deadlines > 0 {
            actions.push(Action::GiveUp(index));
        }
    }

    fn of_rrs(&self, actions: &mut Vec<Action>) {
        for rr in self.server.rrs() {
            let may = |left: u8, action: fn(Arc<str>) -> Action| (left > 0).then(|| action(Arc::clone(&rr.name)));
            let is_active = rr.phase == Phase::Active;
            actions.extend(may(if is_active { self.left.ends } else { 0 }, Action::End));
            actions.extend(may(if is_active { 0 } else { self.left.burials }, Action::Bury));
            actions.extend(may(self.left.deletions, Action::Delete));
            actions.extend(may(self.left.touches, Action::Touch));
        }
    }

    fn of_chore(&self, actions: &mut Vec<Action>) {
        if self.chore.is_some() {
            actions.push(Action::GcStep);
            return;
        }
        if self.left.reaps > 0 {
            let uncounted = self.server.active().filter(|rr| rr.count == 0);
            actions.extend(uncounted.map(|rr| Action::RrGc(Arc::clone(&rr.name))));
        }
        if self.left.sweeps > 0 && self.server.claim().is_some() {
            actions.push(Action::ClaimGc(false));
            // Within the time that a claim must stand unchanged, whoever could create under it has done so or given up.
            if self.left.protocol.sweeps_open_claims() || self.is_at_rest() {
                actions.push(Action::ClaimGc(true));
            }
        }
    }
}
