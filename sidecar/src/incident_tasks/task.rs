//! The task that owns one fingerprint: gathers batches, paces them, and drives the claim protocol for each.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::panicking;
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, Commit, CommitOutcome, Now, Parameters, Phase, Rr, Stage, Step};
use onceway_signal::Fingerprint;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::batch::Batch;
use super::pause::Pauses;
use super::sync::spawn;
use super::{Shared, Waiter};
use crate::executor::{CallFailure, CallOutcome, Context, Execute};
use crate::incident::SubmitError;

/// How long after sending the claim's write a create is prompt: within this time nobody can have created, finished
/// and deleted the same RR and begun the next. The protocol's only assumption on time.
const PROMPT: Duration = Duration::from_secs(1);
/// How often to look for the RR of a claim that another replica holds.
const HELP_POLL: Duration = Duration::from_millis(25);
/// What part of the deadline the writes of an incident are apart at most for the sake of a strained API server.
const STRETCH: u32 = 16;
/// How many digits of the fingerprint an RR's name bears.
const NAME_DIGITS: usize = 12;

/// Why an incident's signals are not counted yet: what the answers to those say whose time runs out.
#[derive(Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    fn set(&self, cause: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }

    /// The last last_error, or that there is none but slowness.
    pub(super) fn text(&self) -> String {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cause.clone().unwrap_or_else(|| "its incident's writes take that long".into())
    }
}

/// See the module's documentation.
pub(super) struct IncidentTask<E> {
    fingerprint: Fingerprint,
    last_error: LastError,
    shared: Arc<Shared<E>>,
    parameters: Arc<Parameters>,
    /// The RR that the last batch was counted in, unless anything has put it in doubt since.
    known: Option<Rr>,
    /// Where the commit in hand stands.
    stage: Stage,
    /// How large the RR was when it was last written, in bytes.
    rr_bytes: usize,
    started: Instant,
    /// How many incidents the replica had in hand when the batch in hand began.
    incidents: usize,
    /// How often the count of the batch in hand was written; more than once where others wrote between.
    writes: u32,
    /// The earliest moment of the next write, so that a storm of any size costs a bounded number of writes a second.
    next_write: Instant,
}

impl<E: Execute> IncidentTask<E> {
    pub(super) fn new(
        fingerprint: Fingerprint,
        known: Option<Rr>,
        last_error: LastError,
        shared: Arc<Shared<E>>,
    ) -> Self {
        let parameters = Arc::new(parameters(fingerprint, &shared.settings));
        let now = Instant::now();
        Self {
            fingerprint,
            last_error,
            shared,
            parameters,
            known,
            stage: Stage::Finished,
            rr_bytes: 0,
            started: now,
            incidents: 1,
            writes: 0,
            next_write: now,
        }
    }

    /// Runs until nobody waits when the next write would be due.
    pub(super) async fn run(mut self) {
        let _in_hand = self.shared.metrics.incident();
        while let Some(waiters) = self.next().await {
            self.serve(waiters).await;
        }
    }

    /// All that has come until the next write is due. A replica that is about to go does not wait for that.
    async fn next(&mut self) -> Option<Vec<Waiter>> {
        if self.next_write > Instant::now() {
            self.shared.draining.run_until_cancelled(sleep_until(self.next_write)).await;
        }
        let mut table = self.shared.table();
        self.incidents = table.in_hand();
        table.next(self.fingerprint, &mut self.known)
    }

    /// Commits all that waits together, and answers it.
    async fn serve(&mut self, waiters: Vec<Waiter>) {
        let Some(batch) = Batch::gather(waiters, &self.shared.metrics) else { return };
        let begun = Instant::now();
        self.last_error.set(None);
        self.writes = 0;
        let committed = timeout_at(batch.deadline, self.commit(&batch)).await;
        self.next_write = begun + self.pace();
        match committed.unwrap_or_else(|_| Err(self.late())) {
            Ok((rr, created)) => {
                self.note(&batch, &rr, created);
                batch.counted(&rr, created, &self.shared.settings.namespace);
                self.known = Some(rr);
            }
            Err(error) => {
                warn!(fingerprint = %self.fingerprint, signals = batch.signals, %error, "signals not counted");
                batch.failed(&error);
            }
        }
    }

    /// Drives the claim protocol to its end. May be dropped between any two calls: what was written stays, and the
    /// next batch begins by reading the claim.
    async fn commit(&mut self, batch: &Batch) -> Result<(Rr, bool), SubmitError> {
        let context = &batch.context;
        let parameters = Arc::clone(&self.parameters);
        let known = self.known.take().filter(|rr| !self.is_known_inactive(rr));
        let (mut commit, mut step) = Commit::begin(parameters, batch.signals, known, self.now());
        let mut pauses = Pauses::default();
        loop {
            step = match step {
                Step::Call(call) => {
                    self.stage = commit.stage();
                    let called = Instant::now();
                    let outcome = self.shared.executor.execute(&call, context).await;
                    if let Some(failure) = &outcome.failure {
                        self.failed(failure)?;
                    }
                    if self.stage == Stage::Count {
                        self.counted(&outcome, called.elapsed());
                    }
                    let pause = pauses.after(&outcome);
                    // Even an empty sleep takes until the timer's next tick.
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                    commit.resume(outcome.result, self.now())
                }
                Step::Wait(ms) => {
                    sleep(Duration::from_millis(ms)).await;
                    commit.resume(onceway_claim::ApiResult::Elapsed, self.now())
                }
                Step::Done(done) => {
                    self.after(done.release, context);
                    return match done.outcome {
                        CommitOutcome::Counted { rr, created } => Ok((rr, created)),
                        CommitOutcome::Unresolved => Err(SubmitError::Unresolved { cause: self.last_error.text() }),
                    };
                }
            };
        }
    }

    /// Whether it is known already that a count in this RR would be refused. One that blocks its incident is counted in
    /// after its end.
    fn is_known_inactive(&self, rr: &Rr) -> bool {
        rr.phase == Phase::Active && self.shared.executor.is_known_inactive(self.fingerprint, &rr.name)
    }

    /// Remembers what a count says of the next one. One that was not answered says nothing of those that will be.
    fn counted(&mut self, outcome: &CallOutcome, took: Duration) {
        self.writes += 1;
        self.rr_bytes = outcome.bytes;
        if outcome.failure.is_none() {
            self.shared.write_latency.note(took);
        }
    }

    /// Remembers why a call failed. A refusal ends the commit at once: asking again would be refused again.
    fn failed(&self, failure: &CallFailure) -> Result<(), SubmitError> {
        debug!(fingerprint = %self.fingerprint, stage = ?self.stage, %failure, "a call has no definite answer");
        let cause = format!("{}: {failure}", doing(self.stage));
        match failure {
            // An earlier write of the count may have happened: the refusal only keeps us from finding out.
            _ if failure.is_lasting() && self.stage == Stage::ResolveOutcome => Err(SubmitError::Unresolved { cause }),
            _ if failure.is_lasting() => Err(SubmitError::Refused { cause }),
            _ => {
                self.last_error.set(Some(cause));
                Ok(())
            }
        }
    }

    /// What to say of a commit that was dropped at its deadline.
    fn late(&self) -> SubmitError {
        match self.stage {
            Stage::Count | Stage::ResolveOutcome => SubmitError::Unresolved { cause: self.last_error.text() },
            _ => SubmitError::deadline(self.shared.settings.deadline, self.last_error.text()),
        }
    }

    /// How long after the beginning of a batch the next one may begin. Every count rewrites the whole RR in etcd, which
    /// keeps the old revisions for some minutes: a large RR is written less often. But half of the deadline is left for the
    /// write itself, or whoever waits for it would wait in vain. A write that met a conflict is one, too: it was tried again
    /// at once, and the next batch waits for both. An API server that is strained gets fewer writes too, for
    /// a smaller part of the deadline: that is to make signals wait less, not more.
    fn pace(&self) -> Duration {
        let settings = &self.shared.settings;
        let bytes = u32::try_from(self.rr_bytes).unwrap_or(u32::MAX);
        let written = Duration::from_secs(1).mul_f64(f64::from(bytes) / f64::from(settings.max_bytes_per_second));
        let most = settings.deadline / STRETCH;
        let spared = self.shared.write_latency.write_interval(settings.count_interval, most, self.incidents);
        spared.max(written).saturating_mul(self.writes.max(1)).min(settings.deadline / 2)
    }

    /// Makes a call that nobody waits for. Its outcome does not matter: it only spares others a wait. It creates nothing,
    /// and so keeps no request's body.
    fn after(&self, call: Option<ApiCall>, context: &Context) {
        let Some(call) = call else { return };
        let (shared, context) = (Arc::clone(&self.shared), Context { spec: None, ..context.clone() });
        spawn(&self.shared.tracker, async move {
            shared.executor.execute(&call, &context).await;
        });
    }

    fn note(&self, batch: &Batch, rr: &Rr, created: bool) {
        let (metrics, signals) = (&self.shared.metrics, batch.signals.get());
        metrics.batch(signals);
        metrics.deduplicated(signals - u32::from(created));
        if created {
            metrics.created();
            info!(fingerprint = %self.fingerprint, name = %rr.name, signals, "created a RemediationRequest");
        }
    }

    fn now(&self) -> Now {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now {
            unix_ms: u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0),
            monotonic_ms: milliseconds(self.started.elapsed()),
        }
    }
}

/// Only a panic drops a task that has not left the table itself.
impl<E> Drop for IncidentTask<E> {
    fn drop(&mut self) {
        if panicking() {
            for waiter in self.shared.table().forget(self.fingerprint) {
                self.shared.metrics.dequeued(waiter.submission.signals.get());
            }
            self.shared.metrics.panicked();
        }
    }
}

fn parameters(fingerprint: Fingerprint, settings: &super::Settings) -> Parameters {
    let digits: String = fingerprint.hex().chars().take(NAME_DIGITS).collect();
    let polls = settings.takeover_after.as_millis().div_ceil(HELP_POLL.as_millis());
    Parameters {
        identity: Arc::clone(&settings.identity),
        name_prefix: format!("rr-{digits}").into(),
        // A prompt create is over before another replica can have taken its claim over.
        prompt_ms: PROMPT.min(settings.takeover_after).as_millis() as u64,
        help_polls: u16::try_from(polls).unwrap_or(u16::MAX),
        help_poll_ms: HELP_POLL.as_millis() as u64,
    }
}

/// What a commit at this stage is doing, for people.
fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::ReadClaim => "reading the incident's Lease",
        Stage::FindRr => "looking for an active RemediationRequest",
        Stage::Acquire => "taking the incident's Lease",
        Stage::Adopt => "writing into the incident's Lease that its RemediationRequest exists",
        Stage::ReadRr => "reading the RemediationRequest",
        Stage::AwaitHolder => "waiting for the Lease's holder",
        Stage::CreateRr => "creating the RemediationRequest",
        Stage::Fence => "confirming the incident's Lease",
        Stage::Discard => "removing a RemediationRequest that came too late",
        Stage::Count => "counting in the RemediationRequest",
        Stage::ResolveOutcome => "finding out whether a count was written",
        Stage::Finished => "ending",
    }
}
