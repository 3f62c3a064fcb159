//! A [`Commit`] that counts in memory, for tests of everything in front of it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use onceway::incident::{Commit, Counted, Drain, Submission, SubmitError, WriteSpec};
use onceway::rr::{Provenance, RemediationRequestSpec, SignalList};
use onceway_signal::Fingerprint;
use tokio::sync::Notify;

/// What a [`Ledger`] does with an incident's submissions.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Returns this error.
    Fail(SubmitError),
    /// Waits until the ledger's `release` is notified, then counts.
    Hold,
    /// Never returns.
    Hang,
    /// Panics.
    Panic,
}

/// Counts in memory, or follows a [`Script`].
#[derive(Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<Fingerprint, u32>>,
    lists: Mutex<BTreeMap<Fingerprint, SignalList>>,
    scripts: Mutex<BTreeMap<Fingerprint, Script>>,
    specs: Mutex<Vec<RemediationRequestSpec>>,
    provenances: Mutex<Vec<Provenance>>,
    /// The spec writers of counted submissions, once [`Ledger::keep_spec_writers`] was called.
    spec_writers: Mutex<Option<Vec<WriteSpec>>>,
    /// Notified when a submission is held.
    pub(crate) held: Notify,
    /// Releases held submissions.
    pub(crate) release: Notify,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on, submissions of `fingerprint` follow `script`.
    pub(crate) fn script(&self, fingerprint: Fingerprint, script: Script) {
        self.scripts.lock().unwrap().insert(fingerprint, script);
    }

    /// The number of counted signals of `fingerprint`.
    pub(crate) fn count(&self, fingerprint: Fingerprint) -> u32 {
        self.counts.lock().unwrap().get(&fingerprint).copied().unwrap_or(0)
    }

    /// The counted signals of `fingerprint` by name.
    pub(crate) fn list(&self, fingerprint: Fingerprint) -> Vec<(String, i32, String)> {
        let stored = self.lists.lock().unwrap().get(&fingerprint).map(SignalList::stored).unwrap_or_default();
        stored.into_iter().map(|signal| (signal.name, signal.count, signal.severity)).collect()
    }

    /// The number of counted signals of all incidents.
    pub(crate) fn total(&self) -> u32 {
        self.counts.lock().unwrap().values().sum()
    }

    /// The specs of the RRs that were created.
    pub(crate) fn specs(&self) -> Vec<RemediationRequestSpec> {
        self.specs.lock().unwrap().clone()
    }

    /// Who asked for each of them.
    pub(crate) fn provenances(&self) -> Vec<Provenance> {
        self.provenances.lock().unwrap().clone()
    }

    /// From now on, keeps the spec writer of each submission.
    pub(crate) fn keep_spec_writers(&self) {
        *self.spec_writers.lock().unwrap() = Some(Vec::new());
    }

    /// Drops all kept spec writers.
    pub(crate) fn drop_spec_writers(&self) {
        *self.spec_writers.lock().unwrap() = None;
    }

    fn add(&self, submission: &Submission) -> Counted {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(submission.fingerprint).or_default();
        let created = *count == 0;
        *count += submission.signals.get();
        self.lists.lock().unwrap().entry(submission.fingerprint).or_default().merge(&submission.by_name);
        if created {
            self.specs.lock().unwrap().push((submission.spec)());
            self.provenances.lock().unwrap().push(submission.provenance.clone());
        }
        if let Some(writers) = &mut *self.spec_writers.lock().unwrap() {
            writers.push(Arc::clone(&submission.spec));
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
            Some(Script::Panic) => panic!("scripted"),
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
