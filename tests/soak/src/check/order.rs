//! Real-time order: a signal that was sent after another one's answer had come has a later place.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Violation;
use super::answers::Told;
use crate::history::{Attempt, History};

/// Where a signal was counted: RRs in the order in which they came to exist, and within one its count. Signals that one
/// write counted together have the same place, and so must have been under way together.
type Place = (usize, u64);

/// Compares each acknowledged attempt with the latest place among those that had been answered before it was sent.
pub(super) fn check(history: &History, told: &[Told], violations: &mut Vec<Violation>) {
    let mut by_incident = BTreeMap::<&str, Vec<(&Attempt, Place)>>::new();
    for one in told {
        let attempt = &history.attempts[one.attempt];
        by_incident.entry(&attempt.fingerprint).or_default().push((attempt, (one.rr, one.count)));
    }
    for mut attempts in by_incident.into_values() {
        attempts.sort_by_key(|(attempt, _)| attempt.start);
        let mut under_way = BinaryHeap::new();
        let mut latest: Option<(Place, u64)> = None;
        for (attempt, place) in attempts {
            while let Some(Reverse((end, place, signal))) = under_way.peek().copied()
                && end < attempt.start
            {
                under_way.pop();
                latest = latest.max(Some((place, signal)));
            }
            if let Some((before_at, before)) = latest.filter(|(before, _)| *before >= place) {
                let (before_at, after_at) = (text(before_at), text(place));
                violations.push(Violation::OutOfOrder { before, before_at, after: attempt.signal, after_at });
            }
            under_way.push(Reverse((attempt.end, place, attempt.signal)));
        }
    }
}

fn text((rr, count): Place) -> String {
    format!("number {count} of RR {rr}")
}
