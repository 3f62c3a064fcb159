//! What an action does.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, ClaimGc, CommitOutcome, RrGc};

use super::{Late, World};
use crate::action::Action;
use crate::chore::Chore;
use crate::replica::{Pace, Replica};

impl World {
    /// Lets it happen.
    pub(super) fn apply(&mut self, action: Action) {
        match action {
            Action::Submit(index) => {
                self.left.signals -= 1;
                let signal = self.ledger.enter();
                self.replicas[index].submit(signal);
            }
            Action::ApiResult(index, pace) => self.answer(index, pace),
            Action::Find(index, found) => {
                let rr = found.and_then(|name| self.server.rr(&name).cloned());
                self.resume(index, rr.map_or(ApiResult::Missing, ApiResult::Rr), Pace::Prompt);
            }
            Action::Elapse(index) => self.resume(index, ApiResult::Elapsed, Pace::Prompt),
            Action::Lose(index) => {
                self.left.losses -= 1;
                self.leave_call(index);
                self.resume(index, ApiResult::Unknown, Pace::Prompt);
            }
            Action::Execute(place) => {
                let late = self.late.remove(place);
                self.execute(&late.author, &late.call, &late.signals);
            }
            Action::GiveUp(index) => {
                self.left.deadlines -= 1;
                self.leave_call(index);
                self.replicas[index].give_up();
            }
            Action::Crash(index) => {
                self.left.crashes -= 1;
                self.leave_call(index);
                self.replicas[index].crash();
            }
            Action::End(name) => {
                self.left.ends -= 1;
                self.server.end(&name);
            }
            Action::Delete(name) => {
                self.left.deletions -= 1;
                self.delete(&name);
            }
            Action::Bury(name) => {
                self.left.burials -= 1;
                self.delete(&name);
            }
            Action::Touch(name) => {
                self.left.touches -= 1;
                self.server.touch(&name);
            }
            Action::Intrude => {
                self.left.intrusions -= 1;
                self.server.intrude();
            }
            Action::RrGc(name) => {
                self.left.reaps -= 1;
                let (reap, call) = RrGc::begin(name);
                self.chore = Some(Chore::RrGc(reap, call));
            }
            Action::ClaimGc(settled) => {
                self.left.sweeps -= 1;
                let settled = self.server.claim().filter(|_| settled).map(|claim| Arc::clone(&claim.version));
                let (sweep, call) = ClaimGc::begin(settled);
                self.chore = Some(Chore::ClaimGc(sweep, call));
            }
            Action::GcStep => {
                let Some(chore) = self.chore.take() else { return };
                let answer = self.server.execute(&Arc::from(""), chore.call());
                self.chore = chore.resume(answer);
            }
        }
        self.forget_the_powerless();
    }

    fn answer(&mut self, index: usize, pace: Pace) {
        let replica = &self.replicas[index];
        let Some(call) = replica.call().cloned() else { return };
        let (author, signals) = (Arc::clone(replica.identity()), replica.signals().to_vec());
        let answer = self.execute(&author, &call, &signals);
        self.resume(index, answer, pace);
    }

    fn execute(&mut self, author: &Arc<str>, call: &ApiCall, signals: &[usize]) -> ApiResult {
        let answer = self.server.execute(author, call);
        if matches!((call, &answer), (ApiCall::Count { .. }, ApiResult::Rr(_))) {
            self.ledger.count(signals);
        }
        answer
    }

    fn resume(&mut self, index: usize, answer: ApiResult, pace: Pace) {
        let replica = &mut self.replicas[index];
        let Some((done, signals)) = replica.resume(answer, pace) else { return };
        if matches!(done.outcome, CommitOutcome::Counted { .. }) {
            self.ledger.acknowledge(&signals);
        }
        let author = replica.identity();
        self.late.extend(done.aftermath.map(|call| Late::new(author, call, &[])));
    }

    /// Nobody hears the answer to the call under way; it may still be executed.
    fn leave_call(&mut self, index: usize) {
        let replica = &self.replicas[index];
        let Some(call) = replica.call().cloned() else { return };
        self.late.push(Late::new(replica.identity(), call, replica.signals()));
    }

    fn delete(&mut self, name: &Arc<str>) {
        self.server.delete(name);
        self.replicas.iter_mut().for_each(Replica::observe_deletion);
    }

    /// Drops late calls that can no longer make a difference: fewer states, same behaviours.
    fn forget_the_powerless(&mut self) {
        let sweeps = self.left.sweeps > 0 || matches!(self.chore, Some(Chore::ClaimGc(..)));
        let claim_may_go = sweeps || self.left.protocol.deletes_claims();
        self.late.retain(|late| self.server.may_still_act(&late.call, claim_may_go));
    }
}
