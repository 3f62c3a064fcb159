//! The per-signal algorithm that comparable gateways describe. Only the benchmarks use it, as a contender. Each signal takes
//! a Lease as a lock, lists the incident's `RemediationRequest`s, creates one or counts in the active one, and releases the
//! Lease.
//!
//! ```text
//! CREATE Lease (409: retry after 100 ms, doubling to 1 s, 10 attempts; take over a Lease older than 30 s)
//! LIST RRs by spec.signalFingerprint ─ one is active ─▶ write its status (409: GET, retry; 4 attempts, 10 ms × 5)
//!                                    └ none ─▶ CREATE rr-<fingerprint>-<seconds>, write its status
//! DELETE Lease
//! ```
//!
//! It runs behind the sidecar's HTTP server, decoder, permissions and client library, so that a comparison measures the
//! algorithm alone. It responds 503 where such gateways have been observed to respond 2xx without having counted.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use jiff::Timestamp;
use kube::api::{Api, ListParams, PostParams};
use onceway::app::{Dependencies, Service};
use onceway::incident::{Commit, Counted, Drain, Submission, SubmitError};
use onceway::rr::{RemediationRequest, is_terminal};
use onceway_signal::Fingerprint;
use rand::random_range;
use tokio::time::sleep;

mod count;
mod lock;

pub use self::lock::Holder;
use self::lock::Lock;

/// Digits of the fingerprint in an RR's name, as in Onceway's RR names.
const NAME_DIGITS: usize = 12;
const CONFLICT: u16 = 409;

/// Commits every signal separately.
pub struct PerSignal(Arc<Algorithm>);

struct Algorithm {
    rrs: Api<RemediationRequest>,
    namespace: String,
    lock: Lock,
}

/// The service that replaces the sidecar's own. It has no GC loops.
pub fn service(dependencies: Dependencies<'_>, holder: Holder) -> Service<PerSignal> {
    let Dependencies { env, client, namespace, .. } = dependencies;
    let rrs = Api::namespaced(client.clone(), namespace);
    let lock = Lock::new(client, namespace, &env.pod_name, holder);
    let commit = Arc::new(PerSignal(Arc::new(Algorithm { rrs, namespace: namespace.to_owned(), lock })));
    Service { commit, housekeeping: pending().boxed() }
}

impl Commit for PerSignal {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let this = Arc::clone(&self.0);
        // A separate task: if the request times out, the holder of the lock still finishes and releases it.
        let task = tokio::spawn(async move { this.submit(submission).await });
        task.await.unwrap_or_else(|error| Err(SubmitError::Unresolved { cause: error.to_string() }))
    }
}

impl Drain for PerSignal {
    async fn drain(&self) {}
}

impl Algorithm {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let held = self.lock.acquire(submission.fingerprint).await?;
        let counted = self.count_or_create(&submission).await;
        self.lock.release(held).await;
        counted
    }

    async fn count_or_create(&self, submission: &Submission) -> Result<Counted, SubmitError> {
        let (rr, created) = match self.active(submission.fingerprint).await? {
            Some(rr) => (rr, false),
            None => self.create(submission).await?,
        };
        self.count(rr, submission, created).await
    }

    /// The active RR. The list is not served from the API server's cache, since it sends no resourceVersion.
    async fn active(&self, fingerprint: Fingerprint) -> Result<Option<RemediationRequest>, SubmitError> {
        let of_incident = ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"));
        let list = self.rrs.list(&of_incident).await.map_err(refused)?;
        Ok(list.items.into_iter().find(|rr| !has_terminal_phase(rr)))
    }

    async fn create(&self, submission: &Submission) -> Result<(RemediationRequest, bool), SubmitError> {
        let digits = &submission.fingerprint.to_string()[..NAME_DIGITS];
        let name = format!("rr-{digits}-{}", Timestamp::now().as_second());
        let rr = RemediationRequest::new(&name, (submission.spec)());
        match self.rrs.create(&PostParams::default(), &rr).await {
            Ok(rr) => Ok((rr, true)),
            // Another signal created it in the same second.
            Err(error) if is_conflict(&error) => Ok((self.rrs.get(&name).await.map_err(refused)?, false)),
            Err(error) => Err(refused(error)),
        }
    }
}

/// How an attempt that met a conflict is retried.
struct Backoff {
    /// Attempts in total.
    attempts: usize,
    /// The pause after the first attempt.
    first: Duration,
    /// The factor from one pause to the next.
    factor: u32,
    /// The longest pause.
    max: Duration,
}

impl Backoff {
    /// Repeats `attempt` until it returns something; `None` if every attempt returned `None`.
    async fn retry<T, A>(&self, mut attempt: impl FnMut() -> A) -> Result<Option<T>, SubmitError>
    where
        A: Future<Output = Result<Option<T>, SubmitError>>,
    {
        let mut pauses = self.pauses();
        loop {
            if let Some(done) = attempt().await? {
                return Ok(Some(done));
            }
            let Some(pause) = pauses.next() else { return Ok(None) };
            sleep(pause).await;
        }
    }

    /// The pauses between the attempts. Jitter of up to 10 %, as in client-go, so that attempts which met do not meet again.
    fn pauses(&self) -> impl Iterator<Item = Duration> {
        let lengths = iter::successors(Some(self.first), |pause| Some((*pause * self.factor).min(self.max)));
        lengths.take(self.attempts - 1).map(|pause| pause.mul_f64(random_range(1.0..1.1)))
    }
}

fn has_terminal_phase(rr: &RemediationRequest) -> bool {
    let phase = rr.status.as_ref().and_then(|status| status.overall_phase.as_deref());
    phase.is_some_and(is_terminal)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == CONFLICT)
}

/// Maps any API error to a response that makes the sender retry.
fn refused(error: kube::Error) -> SubmitError {
    SubmitError::Refused { cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{count, lock};

    #[test]
    fn there_is_a_pause_between_two_attempts_and_none_after_the_last() {
        let lock: Vec<u128> = lock::BACKOFF.pauses().map(|pause| pause.as_millis()).collect();
        for (pause, wanted) in lock.iter().zip([100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000]) {
            assert!((wanted..wanted * 11 / 10).contains(pause), "{lock:?}");
        }
        assert_eq!(lock.len(), 9);
        let count: Vec<u128> = count::BACKOFF.pauses().map(|pause| pause.as_millis()).collect();
        for (pause, wanted) in count.iter().zip([10, 50, 250]) {
            assert!((wanted..wanted * 11 / 10).contains(pause), "{count:?}");
        }
        assert_eq!(count.len(), 3);
    }
}
