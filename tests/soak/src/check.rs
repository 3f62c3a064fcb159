//! Judges a history: whether each incident had one RR at a time, and each signal its place in one count. Pure: the same
//! history gets the same verdict, live and from a file.
//!
//! An answer 5xx, or none, says nothing: its signal may have been counted at any time since it was sent, once, or never. All
//! else is exact. The watch shows every version of every RR, hence every write of a count, by how much, and in which order;
//! each step of a count must be made of signals that were told this very count, and of ambiguous ones.

use std::collections::BTreeMap;

use super::history::{Answer, History};

mod answers;
mod order;
mod rrs;
mod violation;

pub use self::violation::Violation;

use self::rrs::Rr;

/// What became of a soak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// All that is wrong; empty where the history is exact.
    pub violations: Vec<Violation>,
    /// What was counted, and what was told.
    pub totals: Totals,
}

/// The numbers of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// RRs with a count that ended, each an incident from its beginning to its end.
    pub incidents: u64,
    /// Different fingerprints.
    pub fingerprints: u64,
    /// Different signals.
    pub signals: u64,
    /// Signals sent, each as often as it was.
    pub attempts: u64,
    /// Attempts answered 201 or 202.
    pub acknowledged: u64,
    /// Attempts that nobody knows the outcome of.
    pub ambiguous: u64,
    /// Signals that were sent as often as is allowed and never acknowledged.
    pub given_up: u64,
    /// What all RRs count together.
    pub counted: u64,
    /// RRs that came to exist without a count while another of their incident had one, and were removed.
    pub late_creates: u64,
    /// Moments at which an incident had more than one active RR with a count.
    pub duplicates: u64,
    /// Acknowledged signals that are in no count.
    pub lost: u64,
    /// Counted signals that nobody can have sent.
    pub excess: u64,
}

impl Verdict {
    /// Whether nothing is wrong, and there was something to be judged.
    pub fn is_exact(&self) -> bool {
        self.violations.is_empty() && self.totals.acknowledged > 0
    }
}

/// Judges a history.
pub fn judge(history: &History) -> Verdict {
    let mut violations = Vec::new();
    let rrs = rrs::fold(&history.events, &mut violations);
    rrs::compare(&rrs, &history.left, &mut violations);
    let told = answers::assign(history, &rrs, &mut violations);
    let excess = answers::explain(history, &rrs, &told, &mut violations);
    order::check(history, &told, &mut violations);
    check_senders(history, &mut violations);

    let count = |of: fn(&Violation) -> bool| violations.iter().filter(|violation| of(violation)).count() as u64;
    let totals = Totals {
        duplicates: count(|violation| matches!(violation, Violation::Duplicate { .. })),
        lost: count(|violation| matches!(violation, Violation::Lost { .. } | Violation::ToldOfEnded { .. })),
        excess,
        ..totals(history, &rrs)
    };
    Verdict { violations, totals }
}

/// No signal may be refused for good, and once all faults were over each incident's last signal must have got through.
fn check_senders(history: &History, violations: &mut Vec<Violation>) {
    let mut last = BTreeMap::new();
    for attempt in &history.attempts {
        if let Answer::Refused(answer) = &attempt.answer {
            violations.push(Violation::Refused { signal: attempt.signal, answer: answer.clone() });
        }
        let last = last.entry(&attempt.fingerprint).or_insert(attempt);
        if attempt.start >= last.start {
            *last = attempt;
        }
    }
    let stuck = last.into_iter().filter(|(_, attempt)| !matches!(attempt.answer, Answer::Counted { .. }));
    violations.extend(stuck.map(|(fingerprint, _)| Violation::Stuck { fingerprint: fingerprint.clone() }));
}

fn totals(history: &History, rrs: &[Rr<'_>]) -> Totals {
    let mut signals: BTreeMap<u64, bool> = BTreeMap::new();
    for attempt in &history.attempts {
        *signals.entry(attempt.signal).or_default() |= matches!(attempt.answer, Answer::Counted { .. });
    }
    let attempts = |of: fn(&Answer) -> bool| history.attempts.iter().filter(|one| of(&one.answer)).count() as u64;
    let rrs_that = |of: fn(&Rr<'_>) -> bool| rrs.iter().filter(|rr| of(rr)).count() as u64;
    let mut fingerprints: Vec<&str> = rrs.iter().map(|rr| rr.fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    Totals {
        incidents: rrs_that(|rr| rr.count() > 0 && rr.is_over()),
        fingerprints: fingerprints.len() as u64,
        signals: signals.len() as u64,
        attempts: history.attempts.len() as u64,
        acknowledged: attempts(|answer| matches!(answer, Answer::Counted { .. })),
        ambiguous: attempts(Answer::is_ambiguous),
        given_up: signals.values().filter(|acknowledged| !**acknowledged).count() as u64,
        counted: rrs.iter().map(Rr::count).sum(),
        late_creates: rrs_that(|rr| rr.late),
        ..Totals::default()
    }
}

#[cfg(test)]
mod tests;
