//! Doubles for tests of what stands around the claim protocol. There is none of the API server: that one is real. What is
//! written on the [`wire`] to it, and read from it, is tested with answers from a list.

pub(crate) mod objects;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use onceway_signal::Fingerprint;
use tokio::sync::Notify;

use crate::incident::{Commit, Counted, Drain, Submission, SubmitError, WriteSpec};
use crate::rr::RemediationRequestSpec;

/// What a [`Ledger`] does with an incident's submissions.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Answers this error.
    Fail(SubmitError),
    /// Answers only after the ledger's `release` was notified, and then counts.
    Hold,
    /// Never answers.
    Hang,
    /// Panics.
    Panic,
}

/// Counts in memory, or does what it is told to do.
#[derive(Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<Fingerprint, u32>>,
    scripts: Mutex<BTreeMap<Fingerprint, Script>>,
    specs: Mutex<Vec<RemediationRequestSpec>>,
    /// What could still write a spec, where that is kept.
    kept: Mutex<Option<Vec<WriteSpec>>>,
    /// Notified when a submission is held.
    pub(crate) held: Notify,
    /// Lets held submissions go on.
    pub(crate) release: Notify,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on, submissions of `fingerprint` meet `script`.
    pub(crate) fn script(&self, fingerprint: Fingerprint, script: Script) {
        self.scripts.lock().unwrap().insert(fingerprint, script);
    }

    /// How many signals of `fingerprint` were counted.
    pub(crate) fn count(&self, fingerprint: Fingerprint) -> u32 {
        self.counts.lock().unwrap().get(&fingerprint).copied().unwrap_or(0)
    }

    /// How many signals were counted, of any incident.
    pub(crate) fn total(&self) -> u32 {
        self.counts.lock().unwrap().values().sum()
    }

    /// The specs of the RRs that were created.
    pub(crate) fn specs(&self) -> Vec<RemediationRequestSpec> {
        self.specs.lock().unwrap().clone()
    }

    /// From now on, keeps what could write a spec, beyond its submission.
    pub(crate) fn keep_specs(&self) {
        *self.kept.lock().unwrap() = Some(Vec::new());
    }

    /// Lets it all go again.
    pub(crate) fn let_specs_go(&self) {
        *self.kept.lock().unwrap() = None;
    }

    fn add(&self, submission: &Submission) -> Counted {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(submission.fingerprint).or_default();
        let created = *count == 0;
        *count += submission.signals.get();
        if created {
            self.specs.lock().unwrap().push((submission.spec)());
        }
        if let Some(kept) = &mut *self.kept.lock().unwrap() {
            kept.push(Arc::clone(&submission.spec));
        }
        let first_seen: Timestamp = "2026-03-01T10:00:00.123456789Z".parse().unwrap();
        Counted {
            created,
            name: format!("rr-{}", &submission.fingerprint.hex()[..12]),
            namespace: "incidents".into(),
            count: *count,
            first_seen,
            last_seen: first_seen,
        }
    }
}

impl Commit for Ledger {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let script = self.scripts.lock().unwrap().get(&submission.fingerprint).cloned();
        match script {
            None => {}
            Some(Script::Fail(error)) => return Err(error),
            Some(Script::Hang) => pending().await,
            Some(Script::Panic) => panic!("told to"),
            Some(Script::Hold) => {
                self.held.notify_one();
                self.release.notified().await;
            }
        }
        Ok(self.add(&submission))
    }
}

impl Drain for Ledger {
    async fn drain(&self) {}
}
