//! Check, then create: the most common design.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Phase, Rr, Step};

use super::start::Start;

/// How an RR is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// By the second: two creates within one second collide, which is meant to detect duplicates.
    Seconds,
    /// By the nanosecond: no two names are ever the same.
    Nanoseconds,
}

/// How an RR is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reads {
    /// In a cache that a watch fills.
    Cached,
    /// At the API server.
    Uncached,
}

impl Names {
    /// The name of a new RR for a signal.
    pub(super) fn new_name(self, start: &Start) -> Arc<str> {
        let prefix = &start.parameters.name_prefix;
        let second = start.now.unix_ms / 1000;
        match self {
            Self::Seconds => format!("{prefix}-{second}").into(),
            Self::Nanoseconds => format!("{prefix}-{second}.{:09}", start.signal + 1).into(),
        }
    }
}

/// The processing of one signal.
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
    /// Begins with a search; `name` is for the RR to create if there is none.
    pub(super) fn begin(name: Arc<str>) -> (Self, Step) {
        let mut check = Self { name, state: State::Find };
        let step = check.find();
        (check, step)
    }

    /// Takes the result of the last call.
    pub(super) fn resume(&mut self, result: ApiResult) -> Step {
        match (&self.state, result) {
            (State::Find, ApiResult::Unknown) => self.find(),
            (State::Find, ApiResult::Missing) | (State::Create, ApiResult::Unknown) => {
                self.go(State::Create, ApiCall::CreateRr { name: Arc::clone(&self.name), under: Arc::from("") })
            }
            (State::Create, ApiResult::Conflict) => self.read(Arc::clone(&self.name)),
            (State::Read(_), ApiResult::Rr(rr)) if rr.phase == Phase::Terminal => Step::Done(retry()),
            (State::Find | State::Create | State::Read(_), ApiResult::Rr(rr)) => {
                let count = rr.count + 1;
                self.go(State::Count(Arc::clone(&rr.name)), ApiCall::Count { rr, count })
            }
            (State::Count(_), ApiResult::Rr(rr)) => Step::Done(counted(rr)),
            (State::Count(name), ApiResult::Conflict) | (State::Read(name), ApiResult::Unknown) => {
                let name = Arc::clone(name);
                self.read(name)
            }
            _ => Step::Done(retry()),
        }
    }

    fn find(&mut self) -> Step {
        self.go(State::Find, ApiCall::FindRr { except: None })
    }

    fn read(&mut self, name: Arc<str>) -> Step {
        self.go(State::Read(Arc::clone(&name)), ApiCall::GetRr { name, under: None })
    }

    fn go(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }
}

fn counted(rr: Rr) -> CommitOutcome {
    CommitOutcome::Counted { rr, created: false }
}

/// The sender is answered 503 and sends again.
fn retry() -> CommitOutcome {
    CommitOutcome::Unresolved
}
