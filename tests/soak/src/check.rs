//! The checker: judges whether each incident had one RR at a time, and each signal is counted once. It is pure, so the
//! same history gets the same verdict, live or from a file.
//!
//! A 5xx response, or none, is ambiguous: the signal may have been counted once at any time after it was sent, or
//! never. Everything else is exact. The watch delivers every version of every RR, so the checker knows each write of a
//! count, its size and its order. Each such step must consist of signals that were acknowledged with this count, and
//! ambiguous ones.

use std::collections::BTreeMap;

use super::history::{History, Observation};

mod answers;
mod marks;
mod order;
mod rrs;
mod violation;

pub use self::violation::Violation;

use self::rrs::Rr;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// All violations; empty if the history is exact.
    pub violations: Vec<Violation>,
    /// The numbers of the history.
    pub totals: Totals,
}

/// The numbers of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Completed incidents: RRs with a count that became terminal.
    pub incidents: u64,
    /// Distinct fingerprints.
    pub fingerprints: u64,
    /// Distinct signals.
    pub signals: u64,
    /// Attempts to send a signal, retries included.
    pub attempts: u64,
    /// Attempts with a 201 or 202 response.
    pub acknowledged: u64,
    /// Attempts with a 5xx response or none.
    pub ambiguous: u64,
    /// Signals that were never acknowledged.
    pub given_up: u64,
    /// The sum of all RRs' counts.
    pub counted: u64,
    /// RRs that were created while another RR of their incident was active with a count.
    pub late_creates: u64,
    /// Times that an incident got more than one active RR with a count.
    pub duplicates: u64,
    /// Acknowledged signals that no count includes.
    pub lost: u64,
    /// Counted signals that were not sent.
    pub excess: u64,
    /// Signals that were acknowledged for the count of an earlier attempt.
    pub again: u64,
}

impl Verdict {
    /// Whether there is no violation, and at least one signal was acknowledged.
    pub fn is_exact(&self) -> bool {
        self.violations.is_empty() && self.totals.acknowledged > 0
    }
}

/// Judges a history.
pub fn judge(history: &History) -> Verdict {
    let mut violations = Vec::new();
    let rrs = rrs::fold(&history.events, &mut violations);
    rrs::compare(&rrs, &history.final_rrs, &mut violations);
    let since = marks::counted_since(history);
    let attributions = answers::attribute(history, &since, &rrs, &mut violations);
    let excess = answers::check_excess(history, &rrs, &attributions, &mut violations);
    order::check(history, &since, &attributions, &mut violations);
    check_senders(history, &mut violations);

    let count = |of: fn(&Violation) -> bool| violations.iter().filter(|violation| of(violation)).count() as u64;
    let totals = Totals {
        duplicates: count(|violation| matches!(violation, Violation::Duplicate { .. })),
        lost: count(|violation| matches!(violation, Violation::Lost { .. } | Violation::AcknowledgedInTerminal { .. })),
        excess,
        again: attributions.iter().filter(|one| one.is_of_an_earlier_attempt(history)).count() as u64,
        ..totals(history, &rrs)
    };
    Verdict { violations, totals }
}

/// No signal may be rejected, and each incident's last signal, sent after the last fault, must be acknowledged.
fn check_senders(history: &History, violations: &mut Vec<Violation>) {
    let mut last = BTreeMap::new();
    for attempt in &history.attempts {
        if let Observation::Rejected(response) = &attempt.observation {
            violations.push(Violation::Rejected { signal: attempt.signal, response: response.clone() });
        }
        let last = last.entry(&attempt.fingerprint).or_insert(attempt);
        if attempt.start >= last.start {
            *last = attempt;
        }
    }
    let stuck = last.into_iter().filter(|(_, attempt)| !matches!(attempt.observation, Observation::Counted { .. }));
    violations.extend(stuck.map(|(fingerprint, _)| Violation::Stuck { fingerprint: fingerprint.clone() }));
}

fn totals(history: &History, rrs: &[Rr<'_>]) -> Totals {
    let mut signals: BTreeMap<u64, bool> = BTreeMap::new();
    for attempt in &history.attempts {
        *signals.entry(attempt.signal).or_default() |= matches!(attempt.observation, Observation::Counted { .. });
    }
    let attempts =
        |of: fn(&Observation) -> bool| history.attempts.iter().filter(|one| of(&one.observation)).count() as u64;
    let rrs_that = |of: fn(&Rr<'_>) -> bool| rrs.iter().filter(|rr| of(rr)).count() as u64;
    let mut fingerprints: Vec<&str> = rrs.iter().map(|rr| rr.fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    Totals {
        incidents: rrs_that(|rr| rr.count() > 0 && rr.is_terminal()),
        fingerprints: fingerprints.len() as u64,
        signals: signals.len() as u64,
        attempts: history.attempts.len() as u64,
        acknowledged: attempts(|observation| matches!(observation, Observation::Counted { .. })),
        ambiguous: attempts(Observation::is_ambiguous),
        given_up: signals.values().filter(|acknowledged| !**acknowledged).count() as u64,
        counted: rrs.iter().map(Rr::count).sum(),
        late_creates: rrs_that(|rr| rr.late),
        ..Totals::default()
    }
}

#[cfg(test)]
mod tests;
