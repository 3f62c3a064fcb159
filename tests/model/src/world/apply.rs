//! The effect of an action.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, ClaimGc, CommitOutcome, RrGc};

use super::{LateCall, World};
use crate::action::Action;
use crate::gc::GcRun;
use crate::replica::Pace;

impl World {
    /// Applies the action.
    pub(crate) fn apply(&mut self, action: Action) {
        match action {
            Action::Submit(index) => self.submit(index, false),
            Action::SubmitNew(index) => self.submit(index, true),
            Action::FindGone(index) => self.resume(index, ApiResult::Gone, Pace::Prompt),
            Action::Execute(index, pace) => self.execute_call(index, pace),
            Action::Find(index, found) => {
                let rr = found.and_then(|name| self.server.rr(&name).cloned());
                self.resume(index, rr.map_or(ApiResult::Missing, ApiResult::Rr), Pace::Prompt);
            }
            Action::Elapse(index) => self.resume(index, ApiResult::Elapsed, Pace::Prompt),
            Action::LoseResponse(index) => {
                self.remaining.lost_responses -= 1;
                self.abandon_call(index);
                self.resume(index, ApiResult::Unknown, Pace::Prompt);
            }
            Action::ExecuteLate(index) => {
                let late = self.late.remove(index);
                self.execute(&late.author, &late.call, &late.signals);
            }
            Action::Deadline(index) => {
                self.remaining.deadlines -= 1;
                self.abandon_call(index);
                self.replicas[index].give_up();
            }
            Action::Crash(index) => {
                self.remaining.crashes -= 1;
                self.abandon_call(index);
                self.replicas[index].crash();
            }
            Action::Terminate(name) => {
                self.remaining.terminations -= 1;
                self.server.terminate(&name);
            }
            Action::Delete(name) => {
                self.remaining.deletions -= 1;
                self.delete(&name);
            }
            Action::DeleteTerminal(name) => {
                self.remaining.terminal_deletions -= 1;
                self.delete(&name);
            }
            Action::ForeignWrite(name) => {
                self.remaining.foreign_writes -= 1;
                self.server.foreign_write(&name);
            }
            Action::ForeignRr => {
                self.remaining.foreign_rrs -= 1;
                self.server.create_foreign_rr();
            }
            Action::StartRrGc(name) => {
                self.remaining.rr_gcs -= 1;
                let (gc, call) = RrGc::begin(name);
                self.gc = Some(GcRun::Rr(gc, call));
            }
            Action::StartClaimGc(settled) => {
                self.remaining.claim_gcs -= 1;
                let settled = self.server.claim().filter(|_| settled).map(|claim| Arc::clone(&claim.version));
                let (gc, call) = ClaimGc::begin(settled);
                self.gc = Some(GcRun::Claim(gc, call));
            }
            Action::GcStep => {
                let Some(gc) = self.gc.take() else { return };
                let result = self.server.execute(&Arc::from(""), gc.call());
                self.gc = gc.resume(result);
            }
            Action::GcFindsGone => self.gc = self.gc.take().and_then(|gc| gc.resume(ApiResult::Gone)),
        }
        self.drop_calls_without_effect();
    }

    fn submit(&mut self, index: usize, new: bool) {
        self.remaining.signals -= 1;
        let signal = self.ledger.enter();
        self.replicas[index].submit(signal, new);
    }

    fn execute_call(&mut self, index: usize, pace: Pace) {
        let replica = &self.replicas[index];
        let Some(call) = replica.call().cloned() else { return };
        let (author, signals) = (Arc::clone(replica.identity()), replica.signals().to_vec());
        let result = self.execute(&author, &call, &signals);
        self.resume(index, result, pace);
    }

    fn execute(&mut self, author: &Arc<str>, call: &ApiCall, signals: &[usize]) -> ApiResult {
        let result = self.server.execute(author, call);
        if matches!((call, &result), (ApiCall::Count { .. }, ApiResult::Rr(_))) {
            self.ledger.count(signals);
        }
        result
    }

    fn resume(&mut self, index: usize, result: ApiResult, pace: Pace) {
        let replica = &mut self.replicas[index];
        let Some((outcome, signals)) = replica.resume(result, pace) else { return };
        if matches!(outcome, CommitOutcome::Counted { .. }) {
            self.ledger.acknowledge(&signals);
        }
    }

    /// The caller of the call in flight stops waiting for it; the call may still be executed.
    fn abandon_call(&mut self, index: usize) {
        let replica = &self.replicas[index];
        let Some(call) = replica.call().cloned() else { return };
        self.late.push(LateCall::new(replica.identity(), call, replica.signals()));
    }

    fn delete(&mut self, name: &Arc<str>) {
        self.server.delete(name);
        self.replicas.iter_mut().for_each(|replica| replica.observe_deletion(name));
    }

    /// Drops late calls that can no longer take effect: fewer states, same behaviours.
    fn drop_calls_without_effect(&mut self) {
        let collects_claims = self.remaining.claim_gcs > 0 || matches!(self.gc, Some(GcRun::Claim(..)));
        let claim_may_be_deleted = collects_claims || self.remaining.protocol.deletes_claims();
        self.late.retain(|late| self.server.may_take_effect(&late.call, claim_may_be_deleted));
    }
}
