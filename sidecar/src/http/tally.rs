//! How many firing signals of a request have which outcome, for the metrics.

use onceway_signal::Source;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::SignalResponse;

use crate::incident::{Counted, SubmitError};
use crate::metrics::OutcomeMetrics;

/// The label of a problem whose URI is not one of ours.
const OTHER: &str = "other";

/// The firing signals of a request, but for those that are rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Those that are counted.
    counted: u64,
    /// Those that have to be sent again.
    failed: u64,
}

impl Tally {
    /// `signals` could not be decided about.
    pub(super) fn failed(signals: u64) -> Self {
        Self { counted: 0, failed: signals }
    }

    /// Adds the signals of an incident.
    pub(super) fn add(&mut self, signals: u32, result: &Result<Counted, SubmitError>) {
        let signals = u64::from(signals);
        match result {
            Ok(_) => self.counted += signals,
            Err(SubmitError::Denied { .. } | SubmitError::Rejected(_)) => {}
            Err(_) => self.failed += signals,
        }
    }

    /// Records the signals by the response to their request. After a 5xx the sender sends all of them again, also those that
    /// are counted.
    pub(super) fn record(self, source: Source, response: &SignalResponse, metrics: &OutcomeMetrics) {
        match response {
            SignalResponse::Problem(problem) if problem.status >= 500 => {
                metrics.failed(kind(problem), self.counted + self.failed);
            }
            // All signals are rejected.
            SignalResponse::Problem(_) => {}
            SignalResponse::One(..) | SignalResponse::MultiStatus(_) => {
                metrics.acknowledged(source.as_str(), self.counted);
            }
        }
    }
}

/// The kind of a problem, as a label.
pub(super) fn kind(problem: &Problem) -> &'static str {
    ProblemKind::from_uri(problem.uri).map_or(OTHER, ProblemKind::slug)
}
