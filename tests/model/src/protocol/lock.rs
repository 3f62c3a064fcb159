//! Check, then create, while holding a Lease: the usual fix, which does not work.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, CommitOutcome, Step};

use super::check::{Check, Names};
use super::start::Start;

/// What is wrong with the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A process that finds the lease expired by its own clock takes it over. Nothing stops the former holder.
    Expires,
    /// A request that finds its own process named as the holder proceeds.
    Reentrant,
    /// The lease is released by a delete without precondition, which is retried if the response is lost. It never
    /// expires.
    ReleasedBlindly,
}

/// The processing of one signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    rule: Rule,
    identity: Arc<str>,
    name: Arc<str>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Acquire,
    Read,
    Pause,
    Held { lease: Claim, check: Check },
    Release { lease: Claim, done: CommitOutcome },
}

impl Lock {
    /// Tries to take the lock.
    pub(super) fn begin(rule: Rule, start: &Start) -> (Self, Step) {
        let identity = Arc::clone(&start.parameters.identity);
        let mut lock = Self { rule, identity, name: Names::Nanoseconds.new_name(start), state: State::Acquire };
        let step = lock.acquire();
        (lock, step)
    }

    /// Takes the result of the last step.
    pub(super) fn resume(&mut self, result: ApiResult) -> Step {
        match (self.state.clone(), result) {
            (State::Acquire, ApiResult::Claim(lease)) => self.hold(lease),
            (State::Acquire, ApiResult::Conflict) => self.go(State::Read, ApiCall::GetClaim),
            (State::Read, ApiResult::Claim(lease)) => self.on_held(lease),
            (State::Acquire | State::Read | State::Pause, _) => self.acquire(),
            (State::Held { lease, mut check }, result) => match check.resume(result) {
                Step::Done(done) => self.release(lease, done),
                step => {
                    self.state = State::Held { lease, check };
                    step
                }
            },
            (State::Release { lease, done }, ApiResult::Unknown) => self.release(lease, done),
            (State::Release { done, .. }, _) => Step::Done(done),
        }
    }

    /// The lease exists.
    fn on_held(&mut self, lease: Claim) -> Step {
        match self.rule {
            Rule::Expires => {
                let call = ApiCall::UpdateClaim { version: lease.version, fields: self.fields() };
                self.go(State::Acquire, call)
            }
            Rule::Reentrant if lease.fields.holder == self.identity => self.hold(lease),
            Rule::Reentrant | Rule::ReleasedBlindly => {
                self.state = State::Pause;
                Step::Wait(1)
            }
        }
    }

    fn acquire(&mut self) -> Step {
        let call = ApiCall::CreateClaim(self.fields());
        self.go(State::Acquire, call)
    }

    fn hold(&mut self, lease: Claim) -> Step {
        let (check, step) = Check::begin(Arc::clone(&self.name));
        self.state = State::Held { lease, check };
        step
    }

    fn release(&mut self, lease: Claim, done: CommitOutcome) -> Step {
        let claim = lease.clone();
        self.go(State::Release { lease, done }, ApiCall::DeleteClaim { claim })
    }

    fn fields(&self) -> ClaimFields {
        ClaimFields { holder: Arc::clone(&self.identity), intent: "".into(), created: false, floor: 0, transitions: 0 }
    }

    fn go(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }
}
