//! Whether a storm came out exactly: one RR per incident, and in it every acknowledged signal.

use anyhow::{Result, ensure};
use onceway_signal::Fingerprint;

use super::Rig;
use super::rrs::RrExt;
use crate::storm::Report;

/// What became of one incident, compared with what its senders were told.
#[derive(Clone, Debug)]
pub struct IncidentVerdict {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// The names of its RRs.
    pub rrs: Vec<String>,
    /// What its RRs count.
    pub counted: u64,
    /// Signals that were answered 2xx.
    pub acknowledged: u64,
    /// Signals sent, each as often as it was.
    pub attempts: u64,
}

impl IncidentVerdict {
    /// One RR, and acknowledged <= counted <= attempts, which where nothing was sent twice leaves one number.
    pub fn is_exact(&self) -> bool {
        self.rrs.len() == 1 && self.acknowledged <= self.counted && self.counted <= self.attempts
    }
}

/// What became of all incidents.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// By incident.
    pub incidents: Vec<IncidentVerdict>,
    /// Signals that were never acknowledged: refused for good, or sent as often as was allowed.
    pub unacknowledged: u64,
}

impl Verdict {
    /// Whether there was any incident, every signal was acknowledged, and all of it is exact.
    pub fn is_exact(&self) -> bool {
        self.unacknowledged == 0 && !self.incidents.is_empty() && self.incidents.iter().all(IncidentVerdict::is_exact)
    }
}

impl Rig {
    /// Compares what senders were told with what the API server holds.
    ///
    /// # Errors
    /// If the API server does not answer.
    pub async fn judge(&self, report: &Report) -> Result<Verdict> {
        let rrs = self.rrs().await?;
        let incidents = report.incidents.iter().map(|(fingerprint, told)| {
            let hex = fingerprint.to_string();
            let of_incident: Vec<_> = rrs.iter().filter(|rr| rr.spec.signal_fingerprint == hex).collect();
            IncidentVerdict {
                fingerprint: *fingerprint,
                rrs: of_incident.iter().map(|rr| rr.name().to_owned()).collect(),
                counted: of_incident.iter().map(|rr| rr.count()).sum(),
                acknowledged: told.acknowledged,
                attempts: told.attempts,
            }
        });
        let total = report.total();
        Ok(Verdict { incidents: incidents.collect(), unacknowledged: total.signals - total.acknowledged })
    }

    /// Like [`Rig::judge`], for tests: anything but an exact outcome is an error that says what is wrong.
    ///
    /// # Errors
    /// If the outcome is not exact; the error has the history of the API calls that wrote.
    pub async fn verdict(&self, report: &Report) -> Result<Verdict> {
        let verdict = self.judge(report).await?;
        ensure!(verdict.is_exact(), "not exact: {verdict:#?}\n{}", self.record.text());
        Ok(verdict)
    }
}
