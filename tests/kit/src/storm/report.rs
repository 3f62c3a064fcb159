//! What the senders of a storm saw.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hdrhistogram::Histogram;
use onceway_signal::Fingerprint;

use crate::client::Answer;

/// The longest time that is told apart, in microseconds: a minute.
const MAX_MICROS: u64 = 60_000_000;

/// What became of a storm.
#[derive(Clone)]
pub struct Report {
    /// By incident.
    pub incidents: BTreeMap<Fingerprint, IncidentReport>,
    /// From the first time that a signal was sent until it was acknowledged, in microseconds.
    pub latency: Histogram<u64>,
    /// From the first signal to the last answer.
    pub elapsed: Duration,
}

/// What became of the signals of one incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentReport {
    /// Different signals.
    pub signals: u64,
    /// Signals sent, each as often as it was. A count may be this high at most.
    pub attempts: u64,
    /// Signals answered 2xx. A count must be this high at least.
    pub acknowledged: u64,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Attempts without an answer.
    pub unanswered: u64,
    /// Signals that were never acknowledged, though they were sent as often as was allowed.
    pub given_up: u64,
    /// The RRs that answers named.
    pub names: BTreeSet<String>,
}

impl IncidentReport {
    pub(super) fn answered(&mut self, answer: &Answer) {
        *self.answers.entry(answer.status.as_u16()).or_default() += 1;
        if answer.status.is_success() {
            self.acknowledged += 1;
            let name = answer.json()["remediationRequestName"].as_str().map(str::to_owned);
            self.names.extend(name);
        }
    }

    /// How often this status was answered.
    pub fn status(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Self) {
        self.signals += other.signals;
        self.attempts += other.attempts;
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.given_up += other.given_up;
        self.names.extend(other.names);
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        // The bounds are constants that hdrhistogram takes; three digits are exact to a thousandth.
        let latency = Histogram::new_with_max(MAX_MICROS, 3).expect("the bounds are valid");
        Self { incidents: BTreeMap::new(), latency, elapsed: Duration::ZERO }
    }
}

impl Report {
    pub(super) fn incident(&mut self, fingerprint: Fingerprint) -> &mut IncidentReport {
        self.incidents.entry(fingerprint).or_default()
    }

    pub(super) fn acknowledged_after(&mut self, time: Duration) {
        self.latency.saturating_record(time.as_micros().try_into().unwrap_or(MAX_MICROS));
    }

    /// Both storms taken together; their times add up.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.elapsed += other.elapsed;
        for (fingerprint, report) in other.incidents {
            self.incident(fingerprint).add(report);
        }
        // Both have the same bounds, so that adding cannot fail.
        let _ = self.latency.add(&other.latency);
        self
    }

    /// All incidents together.
    pub fn total(&self) -> IncidentReport {
        self.incidents.values().cloned().fold(IncidentReport::default(), |mut sum, report| {
            sum.add(report);
            sum
        })
    }

    /// Acknowledged signals per second.
    pub fn rate(&self) -> f64 {
        self.total().acknowledged as f64 / self.elapsed.as_secs_f64()
    }
}
