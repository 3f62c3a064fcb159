//! The algorithm that the gateways of this field describe, as a contender for the benchmarks and for nothing else: each
//! signal takes a Lease as a lock, looks by LIST for a RemediationRequest, creates one or counts in it, and releases the
//! Lease.
//!
//! ```text
//! CREATE Lease (409: wait 100 ms, doubling to 1 s, 10 tries; taken over once it is 30 s old)
//! LIST RRs by spec.signalFingerprint ─ an active one ─▶ write its status (409: GET, again; 4 tries, 10 ms × 5)
//!                                    └ none ─▶ CREATE rr-<fingerprint>-<seconds>, write its status
//! DELETE Lease
//! ```
//!
//! It runs behind the sidecar's own HTTP front, decoder, rights and client library, so that what is compared is the
//! algorithm alone; and it answers 503 where gateways have been seen to answer 2xx for what they had not counted.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use jiff::Timestamp;
use kube::api::{Api, ListParams, PostParams};
use onceway::app::{Parts, Service};
use onceway::incident::{Commit, Counted, Drain, Submission, SubmitError};
use onceway::rr::{RemediationRequest, is_terminal};
use onceway_signal::Fingerprint;
use rand::random_range;

mod count;
mod lock;

pub use self::lock::Holder;
use self::lock::Lock;

/// How many digits of the fingerprint an RR's name bears, as ours do.
const NAME_DIGITS: usize = 12;
const CONFLICT: u16 = 409;

/// Commits each signal by itself.
pub struct PerSignal(Arc<Algorithm>);

struct Algorithm {
    rrs: Api<RemediationRequest>,
    namespace: String,
    lock: Lock,
}

/// What takes the place of the sidecar's owners. It has no housekeeping.
pub fn service(parts: Parts<'_>, holder: Holder) -> Service<PerSignal> {
    let Parts { env, client, namespace, .. } = parts;
    let rrs = Api::namespaced(client.clone(), namespace);
    let lock = Lock::new(client, namespace, &env.pod_name, holder);
    let commit = Arc::new(PerSignal(Arc::new(Algorithm { rrs, namespace: namespace.to_owned(), lock })));
    Service { commit, housekeeping: pending().boxed() }
}

impl Commit for PerSignal {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let this = Arc::clone(&self.0);
        // Nobody waits longer than a request may take; what holds the lock then goes on nevertheless, and releases it.
        let lasting = tokio::spawn(async move { this.submit(submission).await });
        lasting.await.unwrap_or_else(|error| Err(SubmitError::Unresolved { cause: error.to_string() }))
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

    /// The check: a list that no cache answers, since no resourceVersion is given.
    async fn active(&self, fingerprint: Fingerprint) -> Result<Option<RemediationRequest>, SubmitError> {
        let of_incident = ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"));
        let list = self.rrs.list(&of_incident).await.map_err(refused)?;
        Ok(list.items.into_iter().find(|rr| !has_ended(rr)))
    }

    async fn create(&self, submission: &Submission) -> Result<(RemediationRequest, bool), SubmitError> {
        let digits = &submission.fingerprint.to_string()[..NAME_DIGITS];
        let name = format!("rr-{digits}-{}", Timestamp::now().as_second());
        let rr = RemediationRequest::new(&name, (submission.spec)());
        match self.rrs.create(&PostParams::default(), &rr).await {
            Ok(rr) => Ok((rr, true)),
            // Another signal of this second was first.
            Err(error) if is_conflict(&error) => Ok((self.rrs.get(&name).await.map_err(refused)?, false)),
            Err(error) => Err(refused(error)),
        }
    }
}

/// The pauses between tries, which are one more. Each is up to a tenth longer, as client-go's are, so that those who met do
/// not meet again.
fn pauses(tries: usize, first: Duration, factor: u32, most: Duration) -> impl Iterator<Item = Duration> {
    let lengths = iter::successors(Some(first), move |pause| Some((*pause * factor).min(most)));
    lengths.take(tries - 1).map(|pause| pause.mul_f64(random_range(1.0..1.1)))
}

fn has_ended(rr: &RemediationRequest) -> bool {
    let phase = rr.status.as_ref().and_then(|status| status.overall_phase.as_deref());
    phase.is_some_and(is_terminal)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == CONFLICT)
}

/// Whatever the API server says against it, the sender is to send again.
fn refused(error: kube::Error) -> SubmitError {
    SubmitError::Refused { cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pauses;

    #[test]
    fn there_is_a_pause_between_two_tries_and_none_after_the_last() {
        let ms = |pause: Duration| pause.as_millis();
        let lock: Vec<u128> = pauses(10, Duration::from_millis(100), 2, Duration::from_secs(1)).map(ms).collect();
        for (pause, wanted) in lock.iter().zip([100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000]) {
            assert!((wanted..wanted * 11 / 10).contains(pause), "{lock:?}");
        }
        assert_eq!(lock.len(), 9);
        let count: Vec<u128> = pauses(4, Duration::from_millis(10), 5, Duration::MAX).map(ms).collect();
        for (pause, wanted) in count.iter().zip([10, 50, 250]) {
            assert!((wanted..wanted * 11 / 10).contains(pause), "{count:?}");
        }
        assert_eq!(count.len(), 3);
    }
}
