//! A replica of the model: the real state machine, one batch at a time as its owner task runs it, and the RR that it
//! remembers between batches.

use std::num::NonZeroU32;
use std::sync::Arc;

use onceway_claim::{Answer, Call, Commit, Done, Now, Outcome, Parameters, Rr, Step};

const PROMPT_MS: u64 = 1000;

/// How long a step took, as the replica's monotonic clock tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pace {
    /// Within [`Parameters::prompt_ms`].
    Prompt,
    /// Frozen, delayed or busy for longer than that.
    Slow,
}

/// One process and its successors after crashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    clock_s: u64,
    index: usize,
    incarnation: u8,
    parameters: Arc<Parameters>,
    known: Option<Rr>,
    /// The batch in hand and what it waits for.
    pub(crate) work: Option<(Commit, Step)>,
    /// Whether an RR was deleted since this replica last sent a write of the claim: then its create is not prompt,
    /// since nobody finishes and deletes an RR within a second of its claim. (The protocol's one assumption on time.)
    deleted_since_claim: bool,
}

impl Replica {
    /// A replica whose wall clock stands at `clock_s`: clocks that differ and do not move are the hardest case.
    pub(crate) fn new(index: usize, clock_s: u64) -> Self {
        Self {
            clock_s,
            index,
            incarnation: 0,
            parameters: parameters(index, 0),
            known: None,
            work: None,
            deleted_since_claim: false,
        }
    }

    /// The identity under which it writes.
    pub(crate) fn identity(&self) -> &Arc<str> {
        &self.parameters.identity
    }

    /// Takes a batch of one signal in hand.
    pub(crate) fn submit(&mut self) {
        let (commit, step) =
            Commit::begin(Arc::clone(&self.parameters), NonZeroU32::MIN, self.known.take(), self.now(Pace::Prompt));
        self.work = Some((commit, step));
        self.note_claim_write();
    }

    /// The call under way.
    pub(crate) fn call(&self) -> Option<&Call> {
        match &self.work {
            Some((_, Step::Call(call))) => Some(call),
            _ => None,
        }
    }

    /// Whether it waits for another replica.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.work, Some((_, Step::Wait(_))))
    }

    /// How long the answer to the call under way may have taken. Only a create's makes a difference.
    pub(crate) fn paces(&self) -> &'static [Pace] {
        match self.call() {
            Some(Call::CreateRr { .. }) if self.deleted_since_claim => &[Pace::Slow],
            Some(Call::CreateRr { .. }) => &[Pace::Prompt, Pace::Slow],
            _ => &[Pace::Prompt],
        }
    }

    /// Hands the answer to the machine. Returns how the commit ended, if it did.
    pub(crate) fn resume(&mut self, answer: Answer, pace: Pace) -> Option<Done> {
        let now = self.now(pace);
        let (commit, step) = self.work.as_mut()?;
        *step = commit.resume(answer, now);
        if let Step::Done(done) = step {
            let done = done.clone();
            self.work = None;
            if let Outcome::Counted { rr, .. } = &done.outcome {
                self.known = Some(rr.clone());
            }
            return Some(done);
        }
        self.note_claim_write();
        None
    }

    /// Somebody deleted an RR.
    pub(crate) fn observe_deletion(&mut self) {
        self.deleted_since_claim = self.work.is_some();
    }

    /// The deadline passed: the batch is answered 503, and what it had under way may still happen.
    pub(crate) fn give_up(&mut self) -> Option<Call> {
        let call = self.call().cloned();
        self.work = None;
        self.deleted_since_claim = false;
        call
    }

    /// Killed and started anew, with another identity and an empty memory.
    pub(crate) fn crash(&mut self) -> Option<Call> {
        let call = self.give_up();
        self.known = None;
        self.incarnation += 1;
        self.parameters = parameters(self.index, self.incarnation);
        call
    }

    fn note_claim_write(&mut self) {
        if matches!(self.call(), Some(Call::CreateClaim(_) | Call::UpdateClaim { .. })) || self.work.is_none() {
            self.deleted_since_claim = false;
        }
    }

    /// Claims are written at 0, and a create is answered in time or too late: no other moment makes a difference.
    fn now(&self, pace: Pace) -> Now {
        let monotonic_ms = if pace == Pace::Slow { PROMPT_MS + 1 } else { 0 };
        Now { unix_ms: self.clock_s * 1000, monotonic_ms }
    }
}

fn parameters(index: usize, incarnation: u8) -> Arc<Parameters> {
    Arc::new(Parameters {
        identity: format!("{index}_{incarnation}").into(),
        name_prefix: "rr".into(),
        prompt_ms: PROMPT_MS,
        help_polls: 1,
        help_poll_ms: 1,
    })
}
