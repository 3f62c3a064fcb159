//! One batch of signals on its way into exactly one RR.
//!
//! The states are those of the pseudo-code in `docs/protocol.md`; each has its rule in one of the files of this module:
//! [`claiming`](self) who may create which name, `adopting` an RR that exists already, `creating` and fencing one,
//! `counting` in it.

mod adopting;
mod claiming;
mod counting;
mod creating;

use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::call::{ApiCall, ApiResult, Now, Step};
use crate::record::{Claim, Rr};

/// What a process brings to the protocol; the same for all commits of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// This process, told apart from all that ever were: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// What a fresh RR name begins with: `rr-<fingerprint[:12]>`; the Unix second follows.
    pub name_prefix: Arc<str>,
    /// How long after sending the claim's write a create still counts as prompt, in milliseconds. A create that is
    /// not prompt is fenced before anything is counted in it.
    pub prompt_ms: u64,
    /// How often to look again for the RR of another's open claim before taking the claim over.
    pub help_polls: u16,
    /// The pause before each such look, in milliseconds.
    pub help_poll_ms: u64,
}

/// The commit of one batch: see the [crate's documentation](crate).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    parameters: Arc<Parameters>,
    signals: NonZeroU32,
    /// The RR that this commit has tried to create last.
    attempted: Option<Arc<str>>,
    state: State,
}

/// A claim in hand: as read, or as written by this very commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Hand {
    claim: Claim,
    /// When the write that made this version was sent (monotonic milliseconds); `None` if it was only read.
    written_ms: Option<u64>,
}

/// Which call (or wait) is under way, and all that is needed once it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    ReadClaim,
    Find { hand: Option<Hand> },
    CreateClaim { sent_ms: u64 },
    AcquireClaim { sent_ms: u64 },
    AdoptRr { sent_ms: u64 },
    Check { hand: Hand, polls: u16 },
    AwaitHolder { hand: Hand, polls: u16 },
    CreateRr { hand: Hand, again: bool },
    Fence { hand: Hand, rr: Rr },
    FenceLost { rr: Rr },
    Discard { rr: Rr },
    Count { hand: Option<Hand>, rr: Rr },
    DoubtRead { hand: Option<Hand>, rr: Rr },
    DoubtWrite { hand: Option<Hand>, rr: Rr },
    Finished,
}

/// Where a commit stands: for logs, for the error of a deadline, and for the model's coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading the claim.
    ReadClaim,
    /// Looking for an active RR that somebody else made.
    FindRr,
    /// Creating the claim, or updating it to acquire it.
    Acquire,
    /// Writing into the claim that it names an RR which exists already.
    Adopt,
    /// Reading the RR that the claim names.
    ReadRr,
    /// Waiting for the claim's holder to create its RR.
    AwaitHolder,
    /// Creating the RR.
    CreateRr,
    /// Confirming the claim before the first signal is counted in an RR that may be a late one.
    Fence,
    /// Removing an RR of ours that came too late.
    Discard,
    /// Writing the count.
    Count,
    /// Finding out whether a write of the count happened.
    Doubt,
    /// Over.
    Finished,
}

impl Commit {
    /// Begins the commit of `signals` signals. `known` is the RR that the previous commit of this
    /// fingerprint counted in, if nothing has put it in doubt since.
    #[must_use]
    pub fn begin(parameters: Arc<Parameters>, signals: NonZeroU32, known: Option<Rr>, now: Now) -> (Self, Step) {
        let mut commit = Self { parameters, signals, attempted: None, state: State::Finished };
        let step = match known {
            Some(rr) if rr.phase.takes_signals(now.unix_ms) => commit.count(None, rr),
            _ => commit.restart(),
        };
        (commit, step)
    }

    /// Takes the answer to the last step and says what to do next. Any answer that does not fit the call is read as
    /// [`ApiResult::Unknown`].
    pub fn resume(&mut self, answer: ApiResult, now: Now) -> Step {
        match mem::replace(&mut self.state, State::Finished) {
            State::ReadClaim => self.on_claim_read(answer),
            State::Find { hand } => self.on_found(hand, answer, now),
            State::AdoptRr { sent_ms } => self.on_adopted(answer, sent_ms),
            State::CreateClaim { sent_ms } | State::AcquireClaim { sent_ms } => self.on_acquired(answer, sent_ms),
            State::Check { hand, polls } => self.on_checked(hand, polls, answer, now),
            State::AwaitHolder { hand, polls } => self.check(hand, polls),
            State::CreateRr { hand, again } => self.on_rr_created(hand, again, answer, now),
            State::Fence { hand, rr } => self.on_fenced(rr, hand, answer, now),
            State::FenceLost { rr } => self.on_claim_read_after_fence(rr, answer),
            State::Discard { rr } => self.on_discarded(rr, &answer),
            State::Count { hand, rr } => self.on_counted(hand, rr, answer),
            State::DoubtRead { hand, rr } => self.on_doubt_read(hand, rr, &answer),
            State::DoubtWrite { hand, rr } => self.on_doubt_written(hand, rr, answer),
            // A finished commit has nothing to add; starting over would count twice.
            State::Finished => Step::Done(counting::in_doubt()),
        }
    }

    /// Where the commit stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.state {
            State::ReadClaim | State::FenceLost { .. } => Stage::ReadClaim,
            State::Find { .. } => Stage::FindRr,
            State::CreateClaim { .. } | State::AcquireClaim { .. } => Stage::Acquire,
            State::AdoptRr { .. } => Stage::Adopt,
            State::Check { .. } => Stage::ReadRr,
            State::AwaitHolder { .. } => Stage::AwaitHolder,
            State::CreateRr { .. } => Stage::CreateRr,
            State::Fence { .. } => Stage::Fence,
            State::Discard { .. } => Stage::Discard,
            State::Count { .. } => Stage::Count,
            State::DoubtRead { .. } | State::DoubtWrite { .. } => Stage::Doubt,
            State::Finished => Stage::Finished,
        }
    }

    /// Starts over from the claim, which alone decides. Nothing learnt so far is trusted.
    fn restart(&mut self) -> Step {
        self.go(State::ReadClaim, ApiCall::GetClaim)
    }

    fn go(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }

    /// Whether this process created the RR. A create whose answer was lost is recognised by it later.
    fn is_mine(&self, rr: &Rr) -> bool {
        rr.creator == self.parameters.identity
    }
}
