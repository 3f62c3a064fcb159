//! Real-time order: a signal sent after the response to another one is counted after it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Violation;
use super::answers::Attribution;
use crate::history::{Attempt, History, Micros};

/// Where a signal was counted: the RR's index in creation order, then the count. Signals counted by one write have the
/// same place, so they must have been in flight concurrently.
type Place = (usize, u64);

/// Compares each acknowledged attempt with the latest place among the attempts that ended before what it is acknowledged for
/// was sent.
pub(super) fn check(
    history: &History,
    since: &[Micros],
    attributions: &[Attribution],
    violations: &mut Vec<Violation>,
) {
    let mut by_incident = BTreeMap::<&str, Vec<(&Attempt, Micros, Place)>>::new();
    for one in attributions {
        let attempt = &history.attempts[one.attempt];
        by_incident.entry(&attempt.fingerprint).or_default().push((attempt, since[one.attempt], (one.rr, one.count)));
    }
    for mut attempts in by_incident.into_values() {
        attempts.sort_by_key(|(_, since, _)| *since);
        let mut in_flight = BinaryHeap::new();
        let mut latest: Option<(Place, u64)> = None;
        for (attempt, since, place) in attempts {
            while let Some(Reverse((end, place, signal))) = in_flight.peek().copied()
                && end < since
            {
                in_flight.pop();
                latest = latest.max(Some((place, signal)));
            }
            if let Some((before_at, before)) = latest.filter(|(before, _)| *before >= place) {
                let (before_at, after_at) = (text(before_at), text(place));
                violations.push(Violation::OutOfOrder { before, before_at, after: attempt.signal, after_at });
            }
            in_flight.push(Reverse((attempt.end, place, attempt.signal)));
        }
    }
}

fn text((rr, count): Place) -> String {
    format!("count {count} of RR #{rr}")
}
