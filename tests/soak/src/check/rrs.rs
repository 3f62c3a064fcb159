//! The RRs of a history, rebuilt from the watch, and the invariants of each version.

use std::collections::{BTreeMap, HashMap};

use super::Violation;
use crate::history::{Event, FinalRr, Micros};

/// An RR, from its first version to its last.
#[derive(Clone, Debug)]
pub(super) struct Rr<'a> {
    pub(super) uid: &'a str,
    pub(super) name: &'a str,
    pub(super) fingerprint: &'a str,
    /// The writes that raised its count, in order.
    pub(super) steps: Vec<Step>,
    /// Whether it was created while another RR of its incident was active with a count.
    pub(super) late: bool,
    /// The last version in the watch.
    last: &'a Event,
}

/// A write that raised a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// When the observer received it.
    pub(super) at: Micros,
    pub(super) version: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Rr<'_> {
    pub(super) fn count(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.to)
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.last.terminal || self.last.deleted
    }

    fn is_active_with_count(&self) -> bool {
        !self.is_terminal() && self.count() > 0
    }
}

/// Replays the versions in order. Returns the RRs in creation order.
pub(super) fn fold<'a>(events: &'a [Event], violations: &mut Vec<Violation>) -> Vec<Rr<'a>> {
    let (mut rrs, mut indices) = (Vec::<Rr<'a>>::new(), HashMap::<&str, usize>::new());
    // The active RRs of each incident.
    let mut active = BTreeMap::<&str, Vec<usize>>::new();
    let mut version = 0;
    for event in events {
        if event.version <= version {
            violations
                .push(Violation::ObserverGap { what: format!("version {} arrived after {version}", event.version) });
        }
        version = event.version;
        let of_incident = active.entry(&event.fingerprint).or_default();
        let counted_before = of_incident.iter().filter(|index| rrs[**index].is_active_with_count()).count();
        let index = *indices.entry(&event.uid).or_insert_with(|| {
            of_incident.push(rrs.len());
            rrs.push(first_version(event, counted_before > 0));
            rrs.len() - 1
        });
        if rrs[index].last.terminal && !event.terminal {
            violations.push(Violation::Reopened { rr: event.name.clone(), version });
        }
        apply_count(&mut rrs[index], event, violations);
        rrs[index].last = event;
        of_incident.retain(|index| !rrs[*index].is_terminal());
        let counted: Vec<&Rr<'_>> =
            of_incident.iter().map(|index| &rrs[*index]).filter(|rr| rr.is_active_with_count()).collect();
        if counted.len() > 1 && counted.len() > counted_before {
            let (fingerprint, rrs) = (event.fingerprint.clone(), counted.iter().map(|rr| rr.name.to_owned()).collect());
            violations.push(Violation::Duplicate { fingerprint, rrs, version });
        }
    }
    rrs
}

fn first_version(event: &Event, late: bool) -> Rr<'_> {
    let Event { uid, name, fingerprint, .. } = event;
    Rr { uid, name, fingerprint, steps: Vec::new(), late, last: event }
}

/// Applies a version's count to the RR.
fn apply_count(rr: &mut Rr<'_>, event: &Event, violations: &mut Vec<Violation>) {
    let (from, to, version) = (rr.count(), event.count, event.version);
    if to < from {
        violations.push(Violation::CountFell { rr: rr.name.to_owned(), version, from, to });
    }
    if to <= from {
        return;
    }
    // A controller that ends an RR writes no count, so a version that is terminal and raises the count follows the end.
    if rr.is_terminal() || event.terminal {
        violations.push(Violation::CountedInTerminal { rr: rr.name.to_owned(), version });
    }
    rr.steps.push(Step { at: event.at, version, from, to });
}

/// The final quorum read must agree with the watch, and no active RR may be without a count.
pub(super) fn compare(rrs: &[Rr<'_>], final_rrs: &[FinalRr], violations: &mut Vec<Violation>) {
    let seen: BTreeMap<&str, u64> =
        rrs.iter().filter(|rr| !rr.last.deleted).map(|rr| (rr.uid, rr.last.version)).collect();
    let read: BTreeMap<&str, u64> = final_rrs.iter().map(|rr| (rr.uid.as_str(), rr.version)).collect();
    if seen != read {
        let what =
            format!("the watch has {} RRs, the final read {}, with different uids or versions", seen.len(), read.len());
        violations.push(Violation::ObserverGap { what });
    }
    let empty = rrs.iter().filter(|rr| !rr.is_terminal() && rr.count() == 0);
    violations.extend(empty.map(|rr| Violation::Uncounted { rr: rr.name.to_owned() }));
}
