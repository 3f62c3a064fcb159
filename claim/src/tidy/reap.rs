//! Removing an RR that was created too late: active, without a count, and no claim names it.
//!
//! Its creator removes such an RR itself, unless it died just then. The order of the two reads makes this right: once the
//! claim is seen to name another RR, only an adoption can name this one again, and whoever adopts it counts in it, which
//! moves its version, so that the delete fails; or finds it gone, and begins anew.

use std::sync::Arc;

use super::{Tidied, Tidy};
use crate::call::{Answer, Call};
use crate::record::{Phase, Rr};

/// Reaps one RR.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reap {
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    ReadRr,
    ReadClaim { rr: Rr },
    Delete,
}

impl Reap {
    /// Begins to look at the RR of this name.
    #[must_use]
    pub fn begin(name: Arc<str>) -> (Self, Call) {
        (Self { state: State::ReadRr }, Call::GetRr { name })
    }

    /// Takes the answer to the last call and says what to do next.
    pub fn resume(&mut self, answer: Answer) -> Tidy {
        match (&self.state, answer) {
            (_, Answer::Unknown) => Tidy::Over(Tidied::Unknown),
            (State::ReadRr, Answer::Rr(rr)) if is_ours_without_a_count(&rr) => {
                self.state = State::ReadClaim { rr };
                Tidy::Call(Call::GetClaim)
            }
            (State::ReadRr | State::Delete, Answer::Missing) => Tidy::Over(Tidied::Gone),
            (State::Delete, Answer::Deleted) => Tidy::Over(Tidied::Removed),
            (State::ReadClaim { rr }, Answer::Missing) => self.delete(rr.clone()),
            (State::ReadClaim { rr }, Answer::Claim(claim)) if claim.fields.intent != rr.name => {
                self.delete(rr.clone())
            }
            _ => Tidy::Over(Tidied::Kept),
        }
    }

    fn delete(&mut self, rr: Rr) -> Tidy {
        self.state = State::Delete;
        Tidy::Call(Call::DeleteRr { rr })
    }
}

/// RRs that others made are theirs to remove, even without a count.
fn is_ours_without_a_count(rr: &Rr) -> bool {
    rr.ours && !rr.creator.is_empty() && rr.phase == Phase::Active && rr.count == 0
}
