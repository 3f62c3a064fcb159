//! Whether a storm is exact: one RR per incident, which counts every acknowledged signal.

use anyhow::{Result, ensure};
use onceway_signal::Fingerprint;

use super::rrs::RrExt;
use super::running::Rig;
use crate::storm::Report;

/// The RRs of one incident, compared with the responses to its senders.
#[derive(Clone, Debug)]
pub struct IncidentVerdict {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// The names of its RRs.
    pub rrs: Vec<String>,
    /// The sum of its RRs' counts.
    pub counted: u64,
    /// Signals with a 2xx response.
    pub acknowledged: u64,
    /// All attempts.
    pub attempts: u64,
}

impl IncidentVerdict {
    /// One RR, and acknowledged <= counted <= attempts; without retries these are one number.
    pub fn is_exact(&self) -> bool {
        self.rrs.len() == 1 && self.acknowledged <= self.counted && self.counted <= self.attempts
    }
}

/// The verdict on all incidents.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// By incident.
    pub incidents: Vec<IncidentVerdict>,
    /// Signals that were never acknowledged: rejected permanently, or out of attempts.
    pub unacknowledged: u64,
}

impl Verdict {
    /// Whether there is an incident, every signal was acknowledged, and every incident is exact.
    pub fn is_exact(&self) -> bool {
        self.unacknowledged == 0 && !self.incidents.is_empty() && self.incidents.iter().all(IncidentVerdict::is_exact)
    }
}

impl Rig {
    /// Compares the senders' responses with the RRs in the API server.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn assess(&self, report: &Report) -> Result<Verdict> {
        let rrs = self.rrs().await?;
        let incidents = report.incidents.iter().map(|(fingerprint, sent)| {
            let hex = fingerprint.to_string();
            let of_incident: Vec<_> = rrs.iter().filter(|rr| rr.spec.signal_fingerprint == hex).collect();
            IncidentVerdict {
                fingerprint: *fingerprint,
                rrs: of_incident.iter().map(|rr| rr.name().to_owned()).collect(),
                counted: of_incident.iter().map(|rr| rr.count()).sum(),
                acknowledged: sent.acknowledged,
                attempts: sent.attempts,
            }
        });
        let total = report.total();
        Ok(Verdict { incidents: incidents.collect(), unacknowledged: total.signals - total.acknowledged })
    }

    /// Like [`Rig::assess`], for tests: anything but an exact verdict is an error.
    ///
    /// # Errors
    /// If the verdict is not exact; the error has the history of the API calls.
    pub async fn verdict(&self, report: &Report) -> Result<Verdict> {
        let verdict = self.assess(report).await?;
        ensure!(verdict.is_exact(), "not exact: {verdict:#?}\n{}", self.record.text());
        Ok(verdict)
    }
}
