//! Check, then create, while holding a Lease: the usual cure, and why it is none.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Done, Step};

use super::Start;
use super::check::{Check, Names};

/// What is wrong with the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Whoever finds the lease expired by his clock takes it over. Nothing stops its former holder.
    Expires,
    /// Whoever finds his own process named as the holder goes on.
    Reentrant,
    /// It is released by a delete without precondition, tried again where no answer came. It never expires.
    ReleasedBlindly,
}

/// One signal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    rule: Rule,
    me: Arc<str>,
    name: Arc<str>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "boxes would cost an allocation for each of millions of states")]
enum State {
    Acquire,
    Look,
    Pause,
    Held { lease: Claim, check: Check },
    Release { lease: Claim, done: Done },
}

impl Lock {
    /// Tries to take the lock.
    pub(super) fn begin(rule: Rule, start: &Start) -> (Self, Step) {
        let me = Arc::clone(&start.parameters.identity);
        let mut lock = Self { rule, me, name: Names::Nanoseconds.fresh(start), state: State::Acquire };
        let step = lock.acquire();
        (lock, step)
    }

    /// Takes the answer to the last step.
    pub(super) fn resume(&mut self, answer: ApiResult) -> Step {
        match (self.state.clone(), answer) {
            (State::Acquire, ApiResult::Claim(lease)) => self.hold(lease),
            (State::Acquire, ApiResult::Conflict) => self.go(State::Look, ApiCall::GetClaim),
            (State::Look, ApiResult::Claim(lease)) => self.on_held(lease),
            (State::Acquire | State::Look | State::Pause, _) => self.acquire(),
            (State::Held { lease, mut check }, answer) => match check.resume(answer) {
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

    /// Somebody holds it.
    fn on_held(&mut self, lease: Claim) -> Step {
        match self.rule {
            Rule::Expires => {
                let call = ApiCall::UpdateClaim { version: lease.version, fields: self.fields() };
                self.go(State::Acquire, call)
            }
            Rule::Reentrant if lease.fields.holder == self.me => self.hold(lease),
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

    fn release(&mut self, lease: Claim, done: Done) -> Step {
        let claim = lease.clone();
        self.go(State::Release { lease, done }, ApiCall::DeleteClaim { claim })
    }

    fn fields(&self) -> ClaimFields {
        ClaimFields { holder: Arc::clone(&self.me), intent: "".into(), created: false, floor: 0, transitions: 0 }
    }

    fn go(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }
}
