//! The RRs of a history: what the watch showed of each, and what may never be seen there.

use std::collections::{BTreeMap, HashMap};

use super::Violation;
use crate::history::{Event, Left, Micros};

/// An RR, from its first version to its last.
#[derive(Clone, Debug)]
pub(super) struct Rr<'a> {
    pub(super) uid: &'a str,
    pub(super) name: &'a str,
    pub(super) fingerprint: &'a str,
    /// The writes that raised its count, in order.
    pub(super) steps: Vec<Step>,
    /// Whether it came to exist while another of its incident was active with a count.
    pub(super) late: bool,
    /// The last version that was seen.
    last: &'a Event,
}

/// A write that raised a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// When it was seen.
    pub(super) at: Micros,
    pub(super) version: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Rr<'_> {
    pub(super) fn count(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.to)
    }

    pub(super) fn is_over(&self) -> bool {
        self.last.ended || self.last.deleted
    }

    fn is_counted(&self) -> bool {
        !self.is_over() && self.count() > 0
    }
}

/// Goes through the versions in their order. The RRs are returned in the order in which they came to exist.
pub(super) fn fold<'a>(events: &'a [Event], violations: &mut Vec<Violation>) -> Vec<Rr<'a>> {
    let (mut rrs, mut places) = (Vec::<Rr<'a>>::new(), HashMap::<&str, usize>::new());
    // The RRs of each incident that are not over.
    let mut active = BTreeMap::<&str, Vec<usize>>::new();
    let mut version = 0;
    for event in events {
        if event.version <= version {
            violations.push(Violation::Gap { what: format!("version {} came after {version}", event.version) });
        }
        version = event.version;
        let of_incident = active.entry(&event.fingerprint).or_default();
        let counted_before = of_incident.iter().filter(|place| rrs[**place].is_counted()).count();
        let place = *places.entry(&event.uid).or_insert_with(|| {
            of_incident.push(rrs.len());
            rrs.push(born(event, counted_before > 0));
            rrs.len() - 1
        });
        if rrs[place].last.ended && !event.ended {
            violations.push(Violation::Reopened { rr: event.name.clone(), version });
        }
        step(&mut rrs[place], event, violations);
        rrs[place].last = event;
        of_incident.retain(|place| !rrs[*place].is_over());
        let counted: Vec<&Rr<'_>> = of_incident.iter().map(|place| &rrs[*place]).filter(|rr| rr.is_counted()).collect();
        if counted.len() > 1 && counted.len() > counted_before {
            let (fingerprint, rrs) = (event.fingerprint.clone(), counted.iter().map(|rr| rr.name.to_owned()).collect());
            violations.push(Violation::Duplicate { fingerprint, rrs, version });
        }
    }
    rrs
}

fn born(event: &Event, late: bool) -> Rr<'_> {
    let Event { uid, name, fingerprint, .. } = event;
    Rr { uid, name, fingerprint, steps: Vec::new(), late, last: event }
}

/// Notes what a version did to the count.
fn step(rr: &mut Rr<'_>, event: &Event, violations: &mut Vec<Violation>) {
    let (from, to, version) = (rr.count(), event.count, event.version);
    if to < from {
        violations.push(Violation::Fell { rr: rr.name.to_owned(), version, from, to });
    }
    if to <= from {
        return;
    }
    // Whoever ends an RR writes no count, so that a version which does both was written after the end too.
    if rr.is_over() || event.ended {
        violations.push(Violation::CountedInEnded { rr: rr.name.to_owned(), version });
    }
    rr.steps.push(Step { at: event.at, version, from, to });
}

/// The quorum read at the end must agree with the watch, and nothing may be unfinished.
pub(super) fn compare(rrs: &[Rr<'_>], left: &[Left], violations: &mut Vec<Violation>) {
    let seen: BTreeMap<&str, u64> =
        rrs.iter().filter(|rr| !rr.last.deleted).map(|rr| (rr.uid, rr.last.version)).collect();
    let read: BTreeMap<&str, u64> = left.iter().map(|left| (left.uid.as_str(), left.version)).collect();
    if seen != read {
        let what = format!("it knows {} RRs, a read at the end found {}, or others", seen.len(), read.len());
        violations.push(Violation::Gap { what });
    }
    let empty = rrs.iter().filter(|rr| !rr.is_over() && rr.count() == 0);
    violations.extend(empty.map(|rr| Violation::LeftBehind { rr: rr.name.to_owned() }));
}
