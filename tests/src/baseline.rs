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

use std::sync::Arc;

use futures::FutureExt;
use futures::future::pending;
use kube::api::{Api, ListParams, PostParams};
use onceway::app::{Parts, Service};
use onceway::incident::{Commit, Counted, Drain, Submission, SubmitError};
use onceway::rr::{RemediationRequest, is_terminal};
use onceway_signal::Fingerprint;

mod count;
mod lock;

pub use self::lock::Holder;
use self::lock::Lock;

/// How many digits of the fingerprint an RR's name bears, as ours do.
const NAME_DIGITS: usize = 12;
const CONFLICT: u16 = 409;

/// Commits each signal by itself.
pub struct PerSignal {
    rrs: Api<RemediationRequest>,
    namespace: String,
    lock: Lock,
}

/// What takes the place of the sidecar's owners. It has no housekeeping.
pub fn service(parts: Parts<'_>, holder: Holder) -> Service<PerSignal> {
    let Parts { env, client, namespace, .. } = parts;
    let rrs = Api::namespaced(client.clone(), namespace);
    let lock = Lock::new(client, namespace, &env.pod_name, holder);
    let commit = Arc::new(PerSignal { rrs, namespace: namespace.to_owned(), lock });
    Service { commit, housekeeping: pending().boxed() }
}

impl Commit for PerSignal {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let held = self.lock.acquire(submission.fingerprint).await?;
        let counted = self.count_or_create(&submission).await;
        self.lock.release(held).await;
        counted
    }
}

impl Drain for PerSignal {
    async fn drain(&self) {}
}

impl PerSignal {
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
        let name = format!("rr-{digits}-{}", submission.received.as_second());
        let rr = RemediationRequest::new(&name, (submission.spec)());
        match self.rrs.create(&PostParams::default(), &rr).await {
            Ok(rr) => Ok((rr, true)),
            // Another signal of this second was first.
            Err(error) if is_conflict(&error) => Ok((self.rrs.get(&name).await.map_err(refused)?, false)),
            Err(error) => Err(refused(error)),
        }
    }
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
