//! A replica: a state machine, one batch at a time as its owner task runs it, and the RR that it remembers between batches.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Done, Now, Parameters, Rr, Stage, Step};

use crate::protocol::{Machine, Protocol, Start};
use crate::token::identity;

const PROMPT_MS: u64 = 1000;

/// How long a step took, as the replica's monotonic clock tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Within [`Parameters::prompt_ms`].
    Prompt,
    /// Frozen, delayed or busy for longer than that.
    Slow,
}

/// A batch in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) machine: Machine,
    /// What it waits for.
    pub(crate) step: Step,
    /// Its signals, by their numbers.
    pub(crate) signals: Vec<usize>,
}

/// One process and its successors after crashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    protocol: Protocol,
    pub(crate) clock_s: u64,
    index: usize,
    incarnation: u8,
    parameters: Arc<Parameters>,
    pub(crate) known: Option<Rr>,
    pub(crate) work: Option<Work>,
    /// Whether an RR was deleted since this replica last sent a write of the claim: then its create is not prompt,
    /// since nobody finishes and deletes an RR within a second of its claim. (The protocol's one assumption on time.)
    pub(crate) deleted_since_claim: bool,
}

impl Replica {
    /// A replica whose wall clock stands at `clock_s`, with the identity of a process of its own, or of `process`.
    pub(crate) fn new(protocol: Protocol, index: usize, process: usize, clock_s: u64) -> Self {
        let parameters = parameters(identity(process, 0));
        Self {
            protocol,
            clock_s,
            index,
            incarnation: 0,
            parameters,
            known: None,
            work: None,
            deleted_since_claim: false,
        }
    }

    /// The identity under which it writes.
    pub(crate) fn identity(&self) -> &Arc<str> {
        &self.parameters.identity
    }

    /// Takes a signal: a new batch, or, where the protocol has it, one more for the batch in hand.
    pub(crate) fn submit(&mut self, signal: usize) {
        if let Some(work) = &mut self.work {
            work.signals.push(signal);
            work.machine.join();
            return;
        }
        let start = Start {
            parameters: Arc::clone(&self.parameters),
            known: self.known.take(),
            signal,
            now: self.now(Pace::Prompt),
        };
        let (machine, step) = Machine::begin(self.protocol, start);
        self.work = Some(Work { machine, step, signals: vec![signal] });
        self.note_claim_write();
    }

    /// Whether a signal that comes now is taken at once.
    pub(crate) fn takes_signals(&self) -> bool {
        let reads = matches!(self.call(), Some(ApiCall::GetRr { .. }));
        self.work.is_none() || self.protocol.grows_in_doubt() && reads && self.stage() == Some(Stage::Doubt)
    }

    /// The call under way.
    pub(crate) fn call(&self) -> Option<&ApiCall> {
        match &self.work {
            Some(Work { step: Step::Call(call), .. }) => Some(call),
            _ => None,
        }
    }

    /// The signals in hand.
    pub(crate) fn signals(&self) -> &[usize] {
        self.work.as_ref().map_or(&[], |work| &work.signals)
    }

    /// Where its commit stands.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.work.as_ref().and_then(|work| work.machine.stage())
    }

    /// Whether it waits for another replica.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.work, Some(Work { step: Step::Wait(_), .. }))
    }

    /// How long the answer to the call under way may have taken. Only a create's makes a difference.
    pub(crate) fn paces(&self) -> &'static [Pace] {
        match self.call() {
            Some(ApiCall::CreateRr { .. }) if self.deleted_since_claim => &[Pace::Slow],
            Some(ApiCall::CreateRr { .. }) => &[Pace::Prompt, Pace::Slow],
            _ => &[Pace::Prompt],
        }
    }

    /// Hands the answer to the machine. Returns how the batch ended, if it did, and its signals.
    pub(crate) fn resume(&mut self, answer: ApiResult, pace: Pace) -> Option<(Done, Vec<usize>)> {
        let now = self.now(pace);
        let work = self.work.as_mut()?;
        work.step = work.machine.resume(answer, now);
        let Step::Done(done) = &work.step else {
            self.note_claim_write();
            return None;
        };
        let done = done.clone();
        if let CommitOutcome::Counted { rr, .. } = &done.outcome {
            self.known = Some(rr.clone());
        }
        self.deleted_since_claim = false;
        self.work.take().map(|work| (done, work.signals))
    }

    /// Somebody deleted an RR.
    pub(crate) fn observe_deletion(&mut self) {
        self.deleted_since_claim = self.work.is_some();
    }

    /// The deadline passed: the batch is answered 503, and what it had under way may still happen.
    pub(crate) fn give_up(&mut self) {
        self.work = None;
        self.deleted_since_claim = false;
    }

    /// Killed and started anew, with another identity and an empty memory.
    pub(crate) fn crash(&mut self) {
        self.give_up();
        self.known = None;
        self.incarnation += 1;
        self.parameters = parameters(identity(self.index, self.incarnation));
    }

    fn note_claim_write(&mut self) {
        if matches!(self.call(), Some(ApiCall::CreateClaim(_) | ApiCall::UpdateClaim { .. })) {
            self.deleted_since_claim = false;
        }
    }

    /// Claims are written at 0, and a create is answered in time or too late: no other moment makes a difference.
    fn now(&self, pace: Pace) -> Now {
        let monotonic_ms = if pace == Pace::Slow { PROMPT_MS + 1 } else { 0 };
        Now { unix_ms: self.clock_s * 1000, monotonic_ms }
    }
}

fn parameters(identity: Arc<str>) -> Arc<Parameters> {
    Arc::new(Parameters { identity, name_prefix: "rr".into(), prompt_ms: PROMPT_MS, help_polls: 1, help_poll_ms: 1 })
}
