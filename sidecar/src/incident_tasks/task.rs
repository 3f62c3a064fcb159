//! The task of one fingerprint: gathers batches, spaces their writes, and drives the claim protocol for each.

use std::sync::Arc;
use std::thread::panicking;
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, ApiResult, Commit, CommitOutcome, Known, Now, Parameters, Phase, Rr, Stage, Step};
use onceway_signal::Fingerprint;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{Instrument, debug, info, warn};

use super::backoff::Backoff;
use super::batch::Batch;
use super::last_error::LastError;
use super::late::{NEW_CALLS, Outlook};
use super::shared::{Settings, Shared};
use super::sync::spawn;
use super::table::Waiter;
use crate::executor::{CallFailure, CallOutcome, Context, Execute};
use crate::incident::{LogContext, SubmitError};

/// How long after the claim's write was sent a create is prompt: within this time no other replica can have created, finished and
/// deleted the same RR and begun the next incident. The protocol's only assumption on time.
const PROMPT: Duration = Duration::from_secs(1);
/// Interval of the reads of an RR that the holder of an open claim should create.
const HELP_POLL: Duration = Duration::from_millis(50);
/// A slow API server lengthens the write interval up to this fraction of the deadline.
const MAX_LATENCY_INTERVAL: u32 = 16;
/// Digits of the fingerprint in an RR's name.
const NAME_DIGITS: usize = 12;

/// See the module's documentation.
pub(super) struct IncidentTask<E> {
    fingerprint: Fingerprint,
    last_error: LastError,
    shared: Arc<Shared<E>>,
    parameters: Arc<Parameters>,
    /// The RR of the last successful commit, until something contradicts it; `None` after a commit that failed before its deadline. Then the
    /// next one reads the claim.
    known: Option<Rr>,
    /// Whether the API server has returned the incident's claim: then it is not new, whatever the index has seen.
    has_met_claim: bool,
    /// The stage of the current commit.
    stage: Stage,
    /// Size of the RR at its last write, in bytes.
    rr_bytes: usize,
    started: Instant,
    /// Incidents with a task in this replica when the current batch began.
    incidents: usize,
    /// Writes of the current batch's count; more than one if other writers caused conflicts.
    writes: u32,
    /// Earliest time of the next write, which bounds the writes per second of a storm of any size.
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
            has_met_claim: false,
            stage: Stage::Finished,
            rr_bytes: 0,
            started: now,
            incidents: 1,
            writes: 0,
            next_write: now,
        }
    }

    /// Runs until the queue is empty at the time of the next write.
    pub(super) async fn run(mut self) {
        let _in_flight = self.shared.metrics.incident();
        while let Some(waiters) = self.next().await {
            self.serve(waiters).await;
        }
    }

    /// The submissions queued until the next write may begin; a draining replica does not wait for that.
    async fn next(&mut self) -> Option<Vec<Waiter>> {
        if self.next_write > Instant::now() {
            self.shared.draining.run_until_cancelled(sleep_until(self.next_write)).await;
        }
        let mut table = self.shared.table();
        self.incidents = table.active_incidents();
        table.next(self.fingerprint, &mut self.known)
    }

    /// Commits the submissions as one batch, and reports the result to each.
    async fn serve(&mut self, waiters: Vec<Waiter>) {
        let Some(mut batch) = Batch::gather(waiters, self.outlook(), &self.shared.metrics) else { return };
        batch.begin_span();
        let begun = Instant::now();
        self.last_error.set(None);
        self.writes = 0;
        let committed = timeout_at(batch.deadline, self.commit(&batch).instrument(batch.log.request.clone())).await;
        self.next_write = begun + self.next_interval();
        self.spawn_lock_release();
        let is_late = committed.is_err();
        match committed.unwrap_or_else(|_| Err(self.deadline_error())) {
            Ok((rr, created)) => {
                self.record_commit(&batch, &rr, created);
                batch.context.trace.set("onceway.rr", || rr.name.to_string());
                batch.counted(&rr, created, &self.shared.settings.namespace);
                self.known = Some(rr);
            }
            Err(error) => {
                // At a deadline nothing contradicts it. Under overload each read that is spared lets another count in time.
                if !is_late {
                    self.known = None;
                }
                let LogContext { target, request, .. } = &batch.log;
                batch.context.trace.fail(|| error.to_string());
                let (fingerprint, signals) = (self.fingerprint, batch.signals);
                let signal_target = &**target;
                warn!(
                    parent: request,
                    event = "signals_not_counted",
                    %fingerprint,
                    signal_target,
                    signals,
                    cause = %error,
                    "signals not counted"
                );
                batch.failed(&error);
            }
        }
    }

    /// Drives the claim protocol to its end: the RR, and whether this commit created it. Cancel-safe between any two calls:
    /// what was written stays, and the next batch begins by reading the claim.
    async fn commit(&mut self, batch: &Batch) -> Result<(Rr, bool), SubmitError> {
        let context = &batch.context;
        let parameters = Arc::clone(&self.parameters);
        let known = self.knowledge();
        let (mut commit, mut step) = Commit::begin(parameters, batch.signals, known, self.now());
        let mut backoff = Backoff::new();
        loop {
            step = match step {
                Step::Call(call) => {
                    self.stage = commit.stage();
                    let result = self.call(&call, context, &mut backoff).await?;
                    commit.resume(result, self.now())
                }
                Step::Wait(ms) => {
                    sleep(Duration::from_millis(ms)).await;
                    commit.resume(ApiResult::Elapsed, self.now())
                }
                Step::Done(CommitOutcome::Counted { rr, created }) => return Ok((rr, created)),
                Step::Done(CommitOutcome::Unresolved) => {
                    return Err(SubmitError::Unresolved { cause: self.last_error.text() });
                }
            };
        }
    }

    /// Executes one call of a commit, then pauses according to its outcome.
    async fn call(
        &mut self,
        call: &ApiCall,
        context: &Context,
        backoff: &mut Backoff,
    ) -> Result<ApiResult, SubmitError> {
        let started = Instant::now();
        let outcome = self.shared.executor.execute(call, context).await;
        if let Some(failure) = &outcome.failure {
            self.handle_failure(failure)?;
        }
        if self.stage == Stage::Count {
            self.record_count(&outcome, started.elapsed());
            // Conflict, missing or unknown: a count that begins with what was known would conflict, now or later.
            if !matches!(outcome.result, ApiResult::Rr(_)) {
                self.known = None;
            }
        }
        self.has_met_claim |= matches!(outcome.result, ApiResult::Claim(_));
        let pause = backoff.after(&outcome);
        // Even a zero sleep would last until the timer's next tick.
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Ok(outcome.result)
    }

    /// How long a batch that begins now takes, unless what it meets takes more calls.
    fn outlook(&self) -> Outlook {
        let calls = if self.known.is_some() { 1 } else { NEW_CALLS };
        Outlook::of(calls, self.shared.executor.expected())
    }

    /// What this replica knows of the incident, which decides the first calls of a commit.
    fn knowledge(&mut self) -> Known {
        self.known = self.known.take().filter(|rr| !self.is_known_inactive(rr));
        match self.known.clone() {
            Some(rr) => Known::Rr(rr),
            None if !self.has_met_claim && self.shared.executor.is_new(self.fingerprint) => Known::New,
            None => Known::Nothing,
        }
    }

    /// Whether a count in this RR is known to be rejected. A terminal RR that blocks its incident still takes counts.
    fn is_known_inactive(&self, rr: &Rr) -> bool {
        rr.phase == Phase::Active && self.shared.executor.is_known_inactive(self.fingerprint, &rr.name)
    }

    /// Records what the next interval depends on. A failed count's latency says nothing about successful ones.
    fn record_count(&mut self, outcome: &CallOutcome, latency: Duration) {
        self.writes += 1;
        self.rr_bytes = outcome.bytes;
        if outcome.failure.is_none() {
            self.shared.write_latency.record(latency);
        }
    }

    /// Records why a call failed. A lasting failure ends the commit: a retry would fail in the same way.
    fn handle_failure(&self, failure: &CallFailure) -> Result<(), SubmitError> {
        debug!(fingerprint = %self.fingerprint, stage = ?self.stage, %failure, "API call without a definite result");
        let cause = format!("{}: {failure}", activity(self.stage));
        match failure {
            // An earlier write of the count may have happened; the failure only prevents finding out.
            _ if failure.is_lasting() && self.stage == Stage::ResolveOutcome => Err(SubmitError::Unresolved { cause }),
            CallFailure::Denied { .. } => Err(SubmitError::Denied { cause }),
            _ if failure.is_lasting() => Err(SubmitError::Refused { cause }),
            _ => {
                self.last_error.set(Some(cause));
                Ok(())
            }
        }
    }

    /// The error of a commit that its deadline cancelled.
    fn deadline_error(&self) -> SubmitError {
        match self.stage {
            Stage::Count | Stage::ResolveOutcome => SubmitError::Unresolved { cause: self.last_error.text() },
            _ => SubmitError::deadline(self.shared.settings.deadline, self.last_error.text()),
        }
    }

    /// The time from the beginning of the current batch to the earliest beginning of the next:
    /// min(writes * max(write interval, RR size / `maxBytesPerSecond`), deadline / 2).
    ///
    /// - Every count rewrites the whole RR, and etcd keeps old revisions for minutes: a large RR is written less often.
    /// - A write that met a conflict is a write too, so the interval is that of all writes of the batch.
    /// - Half of the deadline is left for the write itself, or the signals that wait for it would time out.
    /// - A slow API server lengthens the interval only up to a smaller part of the deadline: fewer writes are meant to
    ///   shorten the wait.
    fn next_interval(&self) -> Duration {
        let settings = &self.shared.settings;
        let bytes = u32::try_from(self.rr_bytes).unwrap_or(u32::MAX);
        let by_size = Duration::from_secs(1).mul_f64(f64::from(bytes) / f64::from(settings.max_bytes_per_second));
        let most = settings.deadline / MAX_LATENCY_INTERVAL;
        let by_latency = self.shared.write_latency.write_interval(settings.count_interval, most, self.incidents);
        by_latency.max(by_size).saturating_mul(self.writes.max(1)).min(settings.deadline / 2)
    }

    /// Releases the lock that the commit holds, if any. Nobody waits for it.
    fn spawn_lock_release(&self) {
        let Some(lock) = self.shared.executor.end_commit(self.fingerprint) else { return };
        let shared = Arc::clone(&self.shared);
        spawn(&self.shared.tracker, async move { shared.executor.release_lock(lock).await });
    }

    fn record_commit(&self, batch: &Batch, rr: &Rr, created: bool) {
        let (metrics, signals) = (&self.shared.metrics, batch.signals.get());
        metrics.batch(signals);
        // One signal of a new RR is the one that it was created for.
        let mut first = u32::from(created);
        for (name, count) in batch.context.by_name.counts() {
            metrics.deduplication.deduplicated(name, count.saturating_sub(first));
            first = 0;
        }
        if created {
            metrics.created(batch.source);
            let (fingerprint, LogContext { target, request, .. }) = (self.fingerprint, &batch.log);
            let (signal_target, rr) = (&**target, &*rr.name);
            info!(parent: request, event = "rr_created", %fingerprint, signal_target, rr, signals, "created a RemediationRequest");
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

/// A task that ends normally has left the table by itself; one that panics is removed here.
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

fn parameters(fingerprint: Fingerprint, settings: &Settings) -> Parameters {
    let digits: String = fingerprint.hex().chars().take(NAME_DIGITS).collect();
    let polls = settings.takeover_after.as_millis().div_ceil(HELP_POLL.as_millis());
    Parameters {
        identity: Arc::clone(&settings.identity),
        name_prefix: format!("rr-{digits}").into(),
        // A prompt create is complete before another replica can have taken its claim over.
        prompt_ms: PROMPT.min(settings.takeover_after).as_millis() as u64,
        help_polls: u16::try_from(polls).unwrap_or(u16::MAX),
        help_poll_ms: HELP_POLL.as_millis() as u64,
    }
}

/// The activity of a commit at this stage, for error texts.
fn activity(stage: Stage) -> &'static str {
    match stage {
        Stage::ReadClaim => "reading the incident's Lease",
        Stage::FindRr => "looking for an active RemediationRequest",
        Stage::Acquire => "acquiring the incident's Lease",
        Stage::Adopt => "recording an existing RemediationRequest in the incident's Lease",
        Stage::ReadRr => "reading the RemediationRequest",
        Stage::AwaitHolder => "waiting for the Lease's holder",
        Stage::CreateRr => "creating the RemediationRequest",
        Stage::Fence => "confirming the incident's Lease",
        Stage::Discard => "deleting a late RemediationRequest",
        Stage::Count => "counting in the RemediationRequest",
        Stage::ResolveOutcome => "resolving the unknown outcome of a count",
        Stage::Finished => "finishing",
    }
}
