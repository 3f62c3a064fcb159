//! Finds the write that counted each acknowledged signal, and asks who the others are that it counted.

use std::collections::{BTreeMap, HashMap};

use super::Violation;
use super::rrs::{Rr, Step};
use crate::history::{Answer, Attempt, Change, History, Micros};

/// Where an acknowledged attempt was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// The attempt, as its place in the history.
    pub(super) attempt: usize,
    /// The RR, as its place in the order in which RRs came to exist.
    pub(super) rr: usize,
    /// The count that was told.
    pub(super) count: u64,
}

/// A write that may have counted an attempt. A name can come back: an RR that is deleted before its claim says that it has
/// existed is made again. So there can be several.
#[derive(Clone, Copy)]
struct Candidate {
    rr: usize,
    step: Step,
    /// No signal that was answered before can be meant: the former RR of this name was still there.
    from: Micros,
    /// No signal that was sent later can be meant: it had ended.
    until: Micros,
}

impl Candidate {
    fn fits(&self, attempt: &Attempt) -> bool {
        self.could_be(attempt) && attempt.start < self.until
    }

    /// Leaving aside that the RR had ended.
    fn could_be(&self, attempt: &Attempt) -> bool {
        attempt.start <= self.step.at && attempt.end > self.from
    }

    fn room(&self) -> usize {
        usize::try_from(self.step.to - self.step.from).unwrap_or(usize::MAX)
    }
}

/// Assigns each acknowledged attempt to a write that made the very count that its sender was told. No write takes more than
/// it counted.
pub(super) fn assign(history: &History, rrs: &[Rr<'_>], violations: &mut Vec<Violation>) -> Vec<Told> {
    let candidates = candidates(rrs, &history.changes);
    let mut groups = BTreeMap::<(&str, &str, u64), Vec<usize>>::new();
    let mut created = BTreeMap::<(&str, &str), usize>::new();
    for (place, attempt) in history.attempts.iter().enumerate() {
        if let Answer::Counted { created: said, rr, count } = &attempt.answer {
            groups.entry((&attempt.fingerprint, rr, *count)).or_default().push(place);
            *created.entry((&attempt.fingerprint, rr)).or_default() += usize::from(*said);
        }
    }
    for ((fingerprint, name), said) in created {
        let existed = rrs.iter().filter(|rr| (rr.fingerprint, rr.name) == (fingerprint, name)).count();
        if said > existed {
            violations.push(Violation::CreatedTwice { rr: name.to_owned(), said, existed });
        }
    }
    let mut told = Vec::new();
    for (key, attempts) in groups {
        let fit_for = candidates.get(&key).map_or(&[][..], Vec::as_slice);
        assign_group(history, attempts, fit_for, &mut told, violations);
    }
    told
}

/// The writes by incident, name and the count that they made, the oldest first.
fn candidates<'a>(rrs: &[Rr<'a>], changes: &[Change]) -> HashMap<(&'a str, &'a str, u64), Vec<Candidate>> {
    let mut ended = HashMap::<&str, Micros>::new();
    let mut deleted = HashMap::<&str, Micros>::new();
    for change in changes {
        let end = ended.entry(&change.uid).or_insert(change.end);
        *end = change.end.min(*end);
        if change.deleted {
            deleted.insert(&change.uid, change.start);
        }
    }
    let (mut candidates, mut free_since) = (HashMap::<_, Vec<Candidate>>::new(), HashMap::<_, Micros>::new());
    for (place, rr) in rrs.iter().enumerate() {
        let from = free_since.get(&(rr.fingerprint, rr.name)).copied().unwrap_or(0);
        let until = ended.get(rr.uid).copied().unwrap_or(Micros::MAX);
        for step in &rr.steps {
            let candidate = Candidate { rr: place, step: *step, from, until };
            candidates.entry((rr.fingerprint, rr.name, step.to)).or_default().push(candidate);
        }
        if let Some(start) = deleted.get(rr.uid) {
            free_since.insert((rr.fingerprint, rr.name), *start);
        }
    }
    candidates
}

/// Gives each write, the oldest first, those attempts that fit it and can wait least for a later one. What fits one attempt
/// is a run of neighbours, so that no other way assigns more, and none leaves less to be explained early.
fn assign_group(
    history: &History,
    mut attempts: Vec<usize>,
    candidates: &[Candidate],
    told: &mut Vec<Told>,
    violations: &mut Vec<Violation>,
) {
    let last_fit = |attempt: &usize| candidates.iter().rposition(|one| one.fits(&history.attempts[*attempt]));
    attempts.sort_by_key(last_fit);
    for candidate in candidates {
        let mut room = candidate.room();
        attempts.retain(|attempt| {
            let taken = room > 0 && candidate.fits(&history.attempts[*attempt]);
            if taken {
                room -= 1;
                told.push(Told { attempt: *attempt, rr: candidate.rr, count: candidate.step.to });
            }
            !taken
        });
    }
    let lost = attempts.into_iter().map(|attempt| &history.attempts[attempt]);
    violations.extend(lost.map(|attempt| why_lost(attempt, candidates)));
}

fn why_lost(attempt: &Attempt, candidates: &[Candidate]) -> Violation {
    let (rr, count) = match &attempt.answer {
        Answer::Counted { rr, count, .. } => (rr.clone(), *count),
        _ => (String::new(), 0),
    };
    let (signal, fits) = (attempt.signal, candidates.iter().any(|one| one.fits(attempt)));
    if !fits && candidates.iter().any(|one| one.could_be(attempt)) {
        Violation::ToldOfEnded { signal, rr }
    } else {
        Violation::Lost { signal, rr, count }
    }
}

/// What a write counted beyond those that were told so must be ambiguous attempts of its incident that had been sent by
/// then, each counted once. Returns how many signals remain that nobody can have sent.
pub(super) fn explain(history: &History, rrs: &[Rr<'_>], told: &[Told], violations: &mut Vec<Violation>) -> u64 {
    let mut told_so = HashMap::<(usize, u64), u64>::new();
    for one in told {
        *told_so.entry((one.rr, one.count)).or_default() += 1;
    }
    let mut ambiguous = HashMap::<&str, Vec<Micros>>::new();
    for attempt in history.attempts.iter().filter(|attempt| attempt.answer.is_ambiguous()) {
        ambiguous.entry(&attempt.fingerprint).or_default().push(attempt.start);
    }
    ambiguous.values_mut().for_each(|starts| starts.sort_unstable());

    let of_rr = |(place, rr): (usize, &Rr<'_>)| rr.steps.iter().map(|step| (place, *step)).collect::<Vec<_>>();
    let mut steps: Vec<(usize, Step)> = rrs.iter().enumerate().flat_map(of_rr).collect();
    steps.sort_by_key(|(_, step)| step.version);
    let (mut used, mut total) = (HashMap::<&str, usize>::new(), 0);
    for (place, step) in steps {
        let rr = &rrs[place];
        let unexplained = step.to - step.from - told_so.get(&(place, step.to)).copied().unwrap_or(0);
        let sent = ambiguous.get(rr.fingerprint).map_or(0, |starts| starts.partition_point(|start| *start <= step.at));
        let used = used.entry(rr.fingerprint).or_default();
        let free = (sent - *used) as u64;
        *used += usize::try_from(unexplained.min(free)).unwrap_or(0);
        let excess = unexplained.saturating_sub(free);
        if excess > 0 {
            total += excess;
            violations.push(Violation::Excess { rr: rr.name.to_owned(), version: step.version, excess });
        }
    }
    total
}
