//! What the senders of a storm observed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hdrhistogram::Histogram;
use onceway_signal::Fingerprint;

use crate::client::ClientResponse;

/// The longest latency that is recorded exactly, in microseconds: a minute.
const MAX_MICROS: u64 = 60_000_000;

/// The result of a storm.
#[derive(Clone)]
pub struct Report {
    /// By incident.
    pub incidents: BTreeMap<Fingerprint, IncidentReport>,
    /// From the first attempt of a signal to its acknowledgement, in microseconds.
    pub latency: Histogram<u64>,
    /// From the first signal to the last response.
    pub elapsed: Duration,
}

/// The result for one incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentReport {
    /// Signals, each counted once.
    pub signals: u64,
    /// All attempts: the upper bound of the incident's count.
    pub attempts: u64,
    /// Signals with a 2xx response: the lower bound of the incident's count.
    pub acknowledged: u64,
    /// Responses by status.
    pub responses: BTreeMap<u16, u64>,
    /// Attempts without a response.
    pub without_response: u64,
    /// Signals that were not acknowledged within the allowed attempts.
    pub given_up: u64,
    /// The RRs that responses named.
    pub names: BTreeSet<String>,
}

impl IncidentReport {
    pub(super) fn record(&mut self, response: &ClientResponse) {
        *self.responses.entry(response.status.as_u16()).or_default() += 1;
        if response.status.is_success() {
            self.acknowledged += 1;
            let name = response.json()["remediationRequestName"].as_str().map(str::to_owned);
            self.names.extend(name);
        }
    }

    /// Responses with this status.
    pub fn status(&self, status: u16) -> u64 {
        self.responses.get(&status).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Self) {
        self.signals += other.signals;
        self.attempts += other.attempts;
        self.acknowledged += other.acknowledged;
        self.without_response += other.without_response;
        self.given_up += other.given_up;
        self.names.extend(other.names);
        for (status, count) in other.responses {
            *self.responses.entry(status).or_default() += count;
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        // Valid constant bounds; three digits are exact to a thousandth.
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

    /// Both storms together; their times add up.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.elapsed += other.elapsed;
        for (fingerprint, report) in other.incidents {
            self.incident(fingerprint).add(report);
        }
        // Both have the same bounds: adding cannot fail.
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
