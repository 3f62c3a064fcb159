//! A replica: a state machine that runs one batch at a time, as the incident task does, and the RR that it remembers
//! between batches.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Known, Now, Parameters, Rr, Stage, Step};

use crate::protocol::{Machine, Protocol, Start};
use crate::token::identity;

const PROMPT_MS: u64 = 1000;

/// How long a step took by the replica's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Within [`Parameters::prompt_ms`].
    Prompt,
    /// Frozen, delayed or busy for longer than that.
    Slow,
}

/// The batch in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) machine: Machine,
    /// The call or wait in flight.
    pub(crate) step: Step,
    /// Its signals, by number.
    pub(crate) signals: Vec<usize>,
    /// The RR that it began with.
    pub(crate) known: Option<Rr>,
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
    pub(crate) batch: Option<Batch>,
    /// The intent of the last write of the claim that its batch sent.
    pub(crate) claimed: Option<Arc<str>>,
    /// Whether an RR of that name was deleted since: then its create is not prompt, since no RR is created by another
    /// replica and deleted within a second of its claim. (The protocol's one assumption on time.)
    pub(crate) deleted_since_claim: bool,
}

impl Replica {
    /// A replica whose wall clock reads `clock_s`, with the identity of the process `process`.
    pub(crate) fn new(protocol: Protocol, index: usize, process: usize, clock_s: u64) -> Self {
        let parameters = parameters(identity(process, 0));
        Self {
            protocol,
            clock_s,
            index,
            incarnation: 0,
            parameters,
            known: None,
            batch: None,
            claimed: None,
            deleted_since_claim: false,
        }
    }

    /// The identity under which it writes.
    pub(crate) fn identity(&self) -> &Arc<str> {
        &self.parameters.identity
    }

    /// Takes a signal: begins a batch, or adds to the batch in flight if the protocol allows that. `new`: it has seen no RR of
    /// the incident, as far as it remembers.
    pub(crate) fn submit(&mut self, signal: usize, new: bool) {
        if let Some(batch) = &mut self.batch {
            batch.signals.push(signal);
            batch.machine.join();
            return;
        }
        let known = self.known.take();
        let start = Start {
            parameters: Arc::clone(&self.parameters),
            known: match known.clone() {
                Some(rr) => Known::Rr(rr),
                None if new => Known::New,
                None => Known::Nothing,
            },
            signal,
            now: self.now(Pace::Prompt),
        };
        let (machine, step) = Machine::begin(self.protocol, start);
        self.batch = Some(Batch { machine, step, signals: vec![signal], known });
        self.note_claim_write();
    }

    /// Whether a signal that arrives now is taken at once.
    pub(crate) fn takes_signals(&self) -> bool {
        let reads = matches!(self.call(), Some(ApiCall::GetRr { .. }));
        self.batch.is_none()
            || self.protocol.grows_while_unresolved() && reads && self.stage() == Some(Stage::ResolveOutcome)
    }

    /// Whether a signal that arrives now may be the first that it has seen of the incident.
    pub(crate) fn may_be_new(&self) -> bool {
        self.protocol == Protocol::Claim && self.known.is_none() && self.batch.is_none()
    }

    /// The call in flight.
    pub(crate) fn call(&self) -> Option<&ApiCall> {
        match &self.batch {
            Some(Batch { step: Step::Call(call), .. }) => Some(call),
            _ => None,
        }
    }

    /// The signals of the batch in flight.
    pub(crate) fn signals(&self) -> &[usize] {
        self.batch.as_ref().map_or(&[], |batch| &batch.signals)
    }

    /// The stage of its commit.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.batch.as_ref().and_then(|batch| batch.machine.stage())
    }

    /// Whether it is waiting for another replica.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.batch, Some(Batch { step: Step::Wait(_), .. }))
    }

    /// How long the call in flight may take. Only for a create does it make a difference.
    pub(crate) fn paces(&self) -> &'static [Pace] {
        match self.call() {
            Some(ApiCall::CreateRr { .. }) if self.deleted_since_claim => &[Pace::Slow],
            Some(ApiCall::CreateRr { .. }) => &[Pace::Prompt, Pace::Slow],
            _ => &[Pace::Prompt],
        }
    }

    /// Passes the result to the machine. Returns the end of the batch and its signals, if it has ended.
    pub(crate) fn resume(&mut self, result: ApiResult, pace: Pace) -> Option<(CommitOutcome, Vec<usize>)> {
        let now = self.now(pace);
        let batch = self.batch.as_mut()?;
        batch.step = batch.machine.resume(result, now);
        let Step::Done(outcome) = &batch.step else {
            self.note_claim_write();
            return None;
        };
        let outcome = outcome.clone();
        if let CommitOutcome::Counted { rr, .. } = &outcome {
            self.known = Some(rr.clone());
        }
        self.forget_claim_write();
        self.batch.take().map(|batch| (outcome, batch.signals))
    }

    /// Notes that the RR of this name was deleted.
    pub(crate) fn observe_deletion(&mut self, name: &str) {
        self.deleted_since_claim |= self.claimed.as_deref() == Some(name);
    }

    /// The deadline passed: the batch is answered 503, and its call in flight may still take effect.
    pub(crate) fn give_up(&mut self) {
        self.known = self.batch.take().and_then(|batch| batch.known);
        self.forget_claim_write();
    }

    /// Killed and restarted, with another identity and no memory.
    pub(crate) fn crash(&mut self) {
        self.give_up();
        self.known = None;
        self.incarnation += 1;
        self.parameters = parameters(identity(self.index, self.incarnation));
    }

    fn note_claim_write(&mut self) {
        if let Some(ApiCall::CreateClaim(fields) | ApiCall::UpdateClaim { fields, .. }) = self.call() {
            self.claimed = Some(Arc::clone(&fields.intent));
            self.deleted_since_claim = false;
        }
    }

    fn forget_claim_write(&mut self) {
        self.claimed = None;
        self.deleted_since_claim = false;
    }

    /// Claims are written at 0, and a create takes effect promptly or too late: no other time makes a difference.
    fn now(&self, pace: Pace) -> Now {
        let monotonic_ms = if pace == Pace::Slow { PROMPT_MS + 1 } else { 0 };
        Now { unix_ms: self.clock_s * 1000, monotonic_ms }
    }
}

fn parameters(identity: Arc<str>) -> Arc<Parameters> {
    Arc::new(Parameters { identity, name_prefix: "rr".into(), prompt_ms: PROMPT_MS, help_polls: 1, help_poll_ms: 1 })
}
