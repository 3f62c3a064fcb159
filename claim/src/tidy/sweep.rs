//! Removing a claim whose RR is gone: otherwise every fingerprint ever seen leaves a Lease behind.

use std::sync::Arc;

use super::{Tidied, Tidy};
use crate::call::{Answer, Call};
use crate::record::Claim;

/// Sweeps one claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sweep {
    /// The version that was seen unchanged for so long that nobody can be about to create under it.
    settled: Option<Arc<str>>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    ReadClaim,
    ReadRr { claim: Claim },
    Delete,
}

impl Sweep {
    /// Begins to look at the claim. An open claim, whose RR may yet be created, is removed only at the version `settled`,
    /// which the caller has seen unchanged for longer than any replica stands still.
    #[must_use]
    pub fn begin(settled: Option<Arc<str>>) -> (Self, Call) {
        (Self { settled, state: State::ReadClaim }, Call::GetClaim)
    }

    /// Takes the answer to the last call and says what to do next.
    pub fn resume(&mut self, answer: Answer) -> Tidy {
        match (&self.state, answer) {
            (_, Answer::Unknown) => Tidy::Over(Tidied::Unknown),
            (State::ReadClaim, Answer::Claim(claim)) => {
                let name = Arc::clone(&claim.fields.intent);
                self.state = State::ReadRr { claim };
                Tidy::Call(Call::GetRr { name })
            }
            (State::ReadRr { claim }, Answer::Missing) if self.may_go(claim) => {
                let claim = claim.clone();
                self.state = State::Delete;
                Tidy::Call(Call::DeleteClaim { claim })
            }
            (State::ReadRr { claim }, Answer::Missing) => Tidy::Over(Tidied::Open(Arc::clone(&claim.version))),
            (State::ReadClaim | State::Delete, Answer::Missing) => Tidy::Over(Tidied::Gone),
            (State::Delete, Answer::Deleted) => Tidy::Over(Tidied::Removed),
            _ => Tidy::Over(Tidied::Kept),
        }
    }

    fn may_go(&self, claim: &Claim) -> bool {
        claim.fields.created || self.settled.as_ref() == Some(&claim.version)
    }
}
