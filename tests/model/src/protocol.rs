//! What a replica runs: the very state machine that the sidecar runs, or one of the protocols that fail.

mod check;
mod flaw;
mod lock;

use std::num::NonZeroU32;
use std::sync::Arc;

use onceway_claim::{ApiResult, Commit, Now, Parameters, Rr, Stage, Step};

use self::check::Check;
pub use self::check::{Names, Reads};
pub use self::flaw::Flaw;
use self::flaw::Flawed;
use self::lock::Lock;
pub use self::lock::Rule;

/// A protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The claim protocol.
    #[default]
    Claim,
    /// The claim protocol with one part of it made easier.
    Flawed(Flaw),
    /// Look for an RR, and create one if there is none.
    CheckThenCreate(Names, Reads),
    /// The same, while holding a Lease.
    Locked(Rule),
}

impl Protocol {
    /// Whether its searches are exact; otherwise they rest on a cache, which may be late.
    pub(crate) const fn searches_exactly(self) -> bool {
        matches!(self, Self::CheckThenCreate(_, Reads::Uncached) | Self::Locked(_))
    }

    /// Whether a batch takes further signals while its count is in doubt.
    pub(crate) const fn grows_in_doubt(self) -> bool {
        matches!(self, Self::Flawed(Flaw::BatchGrowsInDoubt))
    }

    /// Whether a sweeper removes an open claim at once.
    pub(crate) const fn sweeps_open_claims(self) -> bool {
        matches!(self, Self::Flawed(Flaw::OpenClaimSwept))
    }

    /// Whether the lock is released whoever holds it.
    pub(crate) const fn releases_blindly(self) -> bool {
        matches!(self, Self::Locked(Rule::ReleasedBlindly))
    }

    /// Whether locks are deleted as a matter of course.
    pub(crate) const fn deletes_claims(self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

/// What a machine is given to begin with.
pub(crate) struct Start {
    /// Of the process.
    pub(crate) parameters: Arc<Parameters>,
    /// The RR that this process has counted in last.
    pub(crate) known: Option<Rr>,
    /// The number of its signal: what a name of nanoseconds would be told apart by.
    pub(crate) signal: usize,
    /// The clocks.
    pub(crate) now: Now,
}

/// A protocol at work on one batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "boxes would cost an allocation for each of millions of states")]
pub(crate) enum Machine {
    Claim(Commit),
    Flawed(Flawed),
    Check(Check),
    Lock(Lock),
}

impl Machine {
    /// Begins a batch of one signal.
    pub(crate) fn begin(protocol: Protocol, start: Start) -> (Self, Step) {
        match protocol {
            Protocol::Claim => {
                let (commit, step) = Commit::begin(start.parameters, NonZeroU32::MIN, start.known, start.now);
                (Self::Claim(commit), step)
            }
            Protocol::Flawed(flaw) => {
                let (flawed, step) = Flawed::begin(flaw, start);
                (Self::Flawed(flawed), step)
            }
            Protocol::CheckThenCreate(names, _) => {
                let (check, step) = Check::begin(names.fresh(&start));
                (Self::Check(check), step)
            }
            Protocol::Locked(rule) => {
                let (lock, step) = Lock::begin(rule, &start);
                (Self::Lock(lock), step)
            }
        }
    }

    /// Takes the answer to the last step.
    pub(crate) fn resume(&mut self, answer: ApiResult, now: Now) -> Step {
        match self {
            Self::Claim(commit) => commit.resume(answer, now),
            Self::Flawed(flawed) => flawed.resume(answer, now),
            Self::Check(check) => check.resume(answer),
            Self::Lock(lock) => lock.resume(answer),
        }
    }

    /// A further signal joins the batch.
    pub(crate) fn join(&mut self) {
        if let Self::Flawed(flawed) = self {
            flawed.join();
        }
    }

    /// Where the commit stands, if it is one.
    pub(crate) fn stage(&self) -> Option<Stage> {
        match self {
            Self::Claim(commit) => Some(commit.stage()),
            Self::Flawed(flawed) => Some(flawed.stage()),
            Self::Check(_) | Self::Lock(_) => None,
        }
    }
}
