//! Commits one batch of signals to exactly one RR.
//!
//! The states are those of the pseudo-code in `docs/protocol.md`. `state` says what each one waits for; each file has
//! the transitions of one part: `claiming` (who may create which name), `adopting` (an RR that exists already),
//! `creating` (creating and fencing an RR), `counting` (counting in it).

mod adopting;
mod claiming;
mod counting;
mod creating;
mod state;

use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;

use self::state::State;
use crate::call::{ApiCall, ApiResult, CommitOutcome, Now, Step};
use crate::record::Rr;

/// What a process brings to the protocol; the same for all commits of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// This process, unique among all processes ever started: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// The prefix of a new RR name: `rr-<fingerprint[:12]>`; the Unix second follows.
    pub name_prefix: Arc<str>,
    /// How long after sending the claim's write a create still counts as prompt, in milliseconds. A create that is
    /// not prompt is fenced before anything is counted in it.
    pub prompt_ms: u64,
    /// How often to look again for the RR of another holder's open claim before taking the claim over.
    pub help_polls: u16,
    /// The pause before each such look, in milliseconds.
    pub help_poll_ms: u64,
}

/// What the process knows of the incident at the beginning of a commit. All of it may be out of date: it decides which calls
/// come first, and never what may be created.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// The RR that its previous commit of this fingerprint counted in, if no later result has contradicted it.
    Rr(Rr),
    /// No RR of the fingerprint has been seen, so there is probably no claim either: the claim is created without a read
    /// before it.
    New,
    /// Neither.
    Nothing,
}

/// The commit of one batch: see the [crate's documentation](crate).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    parameters: Arc<Parameters>,
    signals: NonZeroU32,
    /// The RR that this commit last tried to create.
    attempted: Option<Arc<str>>,
    state: State,
}

/// The current stage of a commit: for logs, for the error of a deadline, and for the model's coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading the claim.
    ReadClaim,
    /// Searching for an active RR that somebody else created.
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
    /// Confirming the claim before the first signal is counted in an RR that may have been created late.
    Fence,
    /// Deleting an RR that this process created too late.
    Discard,
    /// Writing the count.
    Count,
    /// Resolving the unknown outcome of a count write.
    ResolveOutcome,
    /// Finished.
    Finished,
}

impl Commit {
    /// Begins the commit of `signals` signals.
    #[must_use]
    pub fn begin(parameters: Arc<Parameters>, signals: NonZeroU32, known: Known, now: Now) -> (Self, Step) {
        let mut commit = Self { parameters, signals, attempted: None, state: State::Finished };
        let step = match known {
            Known::Rr(rr) if rr.phase.takes_signals(now.unix_ms) => commit.count(None, rr),
            Known::New => commit.find_rr(None),
            Known::Rr(_) | Known::Nothing => commit.restart(),
        };
        (commit, step)
    }

    /// Takes the result of the last step and returns the next one. A result that does not fit the call is treated as
    /// [`ApiResult::Unknown`].
    pub fn resume(&mut self, result: ApiResult, now: Now) -> Step {
        match mem::replace(&mut self.state, State::Finished) {
            State::ReadClaim => self.on_claim_read(result),
            State::Find { seen } => self.on_found(seen, result, now),
            State::AdoptRr { sent_ms } => self.on_adopted(result, sent_ms),
            State::CreateClaim { sent_ms } | State::AcquireClaim { sent_ms } => self.on_acquired(result, sent_ms),
            State::Check { seen, polls } => self.on_checked(seen, polls, result, now),
            State::AwaitHolder { seen, polls } => self.check(seen, polls),
            State::CreateRr { seen, again } => self.on_rr_created(seen, again, result, now),
            State::Fence { seen, rr } => self.on_fenced(rr, seen, result, now),
            State::FenceLost { rr } => self.on_claim_read_after_fence(rr, result),
            State::Discard { rr } => self.on_discarded(rr, &result),
            State::Count { seen, rr } => self.on_counted(seen, rr, result),
            State::ResolveRead { seen, rr } => self.on_resolve_read(seen, rr, &result),
            State::ResolveWrite { seen, rr } => self.on_resolve_written(seen, rr, result),
            // Starting over after the end would count twice.
            State::Finished => Step::Done(CommitOutcome::Unresolved),
        }
    }

    /// The current stage.
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
            State::ResolveRead { .. } | State::ResolveWrite { .. } => Stage::ResolveOutcome,
            State::Finished => Stage::Finished,
        }
    }

    /// Starts over from the claim, which alone decides. Nothing learnt so far is trusted.
    fn restart(&mut self) -> Step {
        self.enter(State::ReadClaim, ApiCall::GetClaim)
    }

    fn enter(&mut self, state: State, call: ApiCall) -> Step {
        self.state = state;
        Step::Call(call)
    }

    /// Whether this process created the RR. Identifies a create of its own whose response was lost.
    fn is_created_here(&self, rr: &Rr) -> bool {
        rr.creator == self.parameters.identity
    }
}
