//! Somebody who tidies up.

use onceway_claim::{Answer, Call, Reap, Sweep, Tidy};

/// What he is at, and the call that he has under way. It may be executed at any later time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Chore {
    Reap(Reap, Call),
    Sweep(Sweep, Call),
}

impl Chore {
    /// The call under way.
    pub(crate) fn call(&self) -> &Call {
        let (Self::Reap(_, call) | Self::Sweep(_, call)) = self;
        call
    }

    /// What is to be done next, if it is not over.
    pub(crate) fn resume(self, answer: Answer) -> Option<Self> {
        match self {
            Self::Reap(mut reap, _) => match reap.resume(answer) {
                Tidy::Call(call) => Some(Self::Reap(reap, call)),
                Tidy::Over(_) => None,
            },
            Self::Sweep(mut sweep, _) => match sweep.resume(answer) {
                Tidy::Call(call) => Some(Self::Sweep(sweep, call)),
                Tidy::Over(_) => None,
            },
        }
    }
}
