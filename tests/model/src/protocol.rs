//! The protocol that a replica runs: the state machine of the sidecar, or one that fails.

mod check;
mod flaw;
mod lock;
mod start;

use std::num::NonZeroU32;

use onceway_claim::{ApiResult, Commit, Now, Stage, Step};

use self::check::Check;
pub use self::check::{Names, Reads};
pub use self::flaw::Flaw;
use self::flaw::Flawed;
use self::lock::Lock;
pub use self::lock::Rule;
pub(crate) use self::start::Start;

/// A protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The claim protocol.
    #[default]
    Claim,
    /// The claim protocol with one part simplified.
    Flawed(Flaw),
    /// Look for an RR, and create one if there is none.
    CheckThenCreate(Names, Reads),
    /// The same, while holding a Lease.
    Locked(Rule),
}

impl Protocol {
    /// Whether its searches read the API server; otherwise they read a cache, which may lag.
    pub(crate) const fn searches_exactly(self) -> bool {
        matches!(self, Self::CheckThenCreate(_, Reads::Uncached) | Self::Locked(_))
    }

    /// Whether a batch takes further signals while the outcome of its count is unknown.
    pub(crate) const fn grows_while_unresolved(self) -> bool {
        matches!(self, Self::Flawed(Flaw::BatchGrowsWhileUnresolved))
    }

    /// Whether its replicas run the commits of the claim protocol, perhaps with a flaw.
    pub(crate) const fn commits(self) -> bool {
        matches!(self, Self::Claim | Self::Flawed(_))
    }

    /// Whether the claim GC deletes an open claim at once.
    pub(crate) const fn collects_open_claims(self) -> bool {
        matches!(self, Self::Flawed(Flaw::OpenClaimCollected))
    }

    /// Whether the release of the lock deletes it even if another process holds it.
    pub(crate) const fn releases_blindly(self) -> bool {
        matches!(self, Self::Locked(Rule::ReleasedBlindly))
    }

    /// Whether every release deletes the lock.
    pub(crate) const fn deletes_claims(self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

/// The state machine of one batch.
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
                let (check, step) = Check::begin(names.new_name(&start));
                (Self::Check(check), step)
            }
            Protocol::Locked(rule) => {
                let (lock, step) = Lock::begin(rule, &start);
                (Self::Lock(lock), step)
            }
        }
    }

    /// Takes the result of the last step.
    pub(crate) fn resume(&mut self, result: ApiResult, now: Now) -> Step {
        match self {
            Self::Claim(commit) => commit.resume(result, now),
            Self::Flawed(flawed) => flawed.resume(result, now),
            Self::Check(check) => check.resume(result),
            Self::Lock(lock) => lock.resume(result),
        }
    }

    /// Adds a signal to the batch.
    pub(crate) fn join(&mut self) {
        if let Self::Flawed(flawed) = self {
            flawed.join();
        }
    }

    /// The stage of the commit, if this is one.
    pub(crate) fn stage(&self) -> Option<Stage> {
        match self {
            Self::Claim(commit) => Some(commit.stage()),
            Self::Flawed(flawed) => Some(flawed.stage()),
            Self::Check(_) | Self::Lock(_) => None,
        }
    }
}
