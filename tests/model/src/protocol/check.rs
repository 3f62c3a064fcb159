//! Check, then create: what most systems do.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Done, Phase, Rr, Step};

use super::Start;

/// What an RR is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// By the second: two creates within one second collide, which is meant to tell duplicates.
    Seconds,
    /// By the nanosecond: no two names are ever the same.
    Nanoseconds,
}

/// How an RR is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reads {
    /// In a cache that a watch fills.
    Cached,
    /// At the API server itself.
    Uncached,
}

impl Names {
    /// The name that a signal's RR would have.
    pub(super) fn fresh(self, start: &Start) -> Arc<str> {
        let prefix = &start.parameters.name_prefix;
        let second = start.now.unix_ms / 1000;
        match self {
            Self::Seconds => format!("{prefix}-{second}").into(),
            Self::Nanoseconds => format!("{prefix}-{second}.{:09}", start.signal + 1).into(),
        }
    }
}

/// One signal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Check {
    name: Arc<str>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Find,
    Create,
    Read(Arc<str>),
    Count(Arc<str>),
}

impl Check {
    /// Looks for an RR; `name` is for the one that may have to be created.
    pub(super) fn begin(name: Arc<str>) -> (Self, Step) {
        let mut check = Self { name, state: State::Find };
        let step = check.find();
        (check, step)
    }

    /// Takes the answer to the last call.
    pub(super) fn resume(&mut self, answer: ApiResult) -> Step {
        match (&self.state, answer) {
            (State::Find, ApiResult::Unknown) => self.find(),
            (State::Find, ApiResult::Missing) | (State::Create, ApiResult::Unknown) => {
                self.go(State::Create, ApiCall::CreateRr { name: Arc::clone(&self.name) })
            }
            (State::Create, ApiResult::Conflict) => self.read(Arc::clone(&self.name)),
            (State::Read(_), ApiResult::Rr(rr)) if rr.phase == Phase::Ended => Step::Done(unanswered()),
            (State::Find | State::Create | State::Read(_), ApiResult::Rr(rr)) => {
                let count = rr.count + 1;
                self.go(State::Count(Arc::clone(&rr.name)), ApiCall::Count { rr, count })
            }
            (State::Count(_), ApiResult::Rr(rr)) => Step::Done(counted(rr)),
            (State::Count(name), ApiResult::Conflict) | (State::Read(name), ApiResult::Unknown) => {
                let name = Arc::clone(name);
                self.read(name)
            }
            _ => Step::Done(unanswered()),
        }
    }

    fn find(&mut self) -> Step {
        self.go(State::Find, ApiCall::FindRr { except: None })
    }

    fn read(&mut self, name: Arc<str>) -> Step {
        self.go(State::Read(Arc::clone(&name)), ApiCall::GetRr { name })
    }

    fn go(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }
}

fn counted(rr: Rr) -> Done {
    Done { outcome: CommitOutcome::Counted { rr, created: false }, aftermath: None }
}

/// The sender is told to send again.
fn unanswered() -> Done {
    Done { outcome: CommitOutcome::InDoubt, aftermath: None }
}
