//! Attributes each acknowledged signal to the write that counted it, and checks what else that write counted.

use std::collections::{BTreeMap, HashMap};

use super::Violation;
use super::rrs::{Rr, Step};
use crate::history::{Attempt, ControllerWrite, History, Micros, Observation};

/// The write that counted an acknowledged attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribution {
    /// The attempt's index in the history.
    pub(super) attempt: usize,
    /// The RR's index in creation order.
    pub(super) rr: usize,
    /// The count in the response, which the write made.
    pub(super) count: u64,
    /// When the write was seen.
    at: Micros,
}

impl Attribution {
    /// Whether an earlier attempt at the signal was counted, and not this one.
    pub(super) fn is_of_an_earlier_attempt(&self, history: &History) -> bool {
        self.at < history.attempts[self.attempt].start
    }
}

/// A write that may have counted an attempt. There can be several: a name is reused if its RR is deleted before the
/// claim records that the RR existed.
#[derive(Clone, Copy)]
struct Candidate {
    rr: usize,
    step: Step,
    /// Excludes attempts that ended before this: the former RR of this name still existed.
    from: Micros,
    /// Excludes attempts that started after this: the RR was terminal.
    until: Micros,
}

impl Candidate {
    /// Whether it may have counted the attempt, or an earlier one `since` which it is acknowledged for.
    fn fits(&self, attempt: &Attempt, since: Micros) -> bool {
        self.fits_ignoring_end(attempt, since) && since < self.until
    }

    /// Like `fits`, but ignores when the RR became terminal.
    fn fits_ignoring_end(&self, attempt: &Attempt, since: Micros) -> bool {
        since <= self.step.at && attempt.end > self.from
    }

    fn room(&self) -> usize {
        usize::try_from(self.step.to - self.step.from).unwrap_or(usize::MAX)
    }
}

/// Attributes each acknowledged attempt to a write that made the count in its response. No write gets more attempts
/// than it counted.
pub(super) fn attribute(
    history: &History,
    since: &[Micros],
    rrs: &[Rr<'_>],
    violations: &mut Vec<Violation>,
) -> Vec<Attribution> {
    let candidates = candidates(rrs, &history.writes);
    let mut groups = BTreeMap::<(&str, &str, u64), Vec<usize>>::new();
    let mut created = BTreeMap::<(&str, &str), usize>::new();
    for (index, attempt) in history.attempts.iter().enumerate() {
        if let Observation::Counted { created: is_201, rr, count } = &attempt.observation {
            groups.entry((&attempt.fingerprint, rr, *count)).or_default().push(index);
            *created.entry((&attempt.fingerprint, rr)).or_default() += usize::from(*is_201);
        }
    }
    for ((fingerprint, name), responses) in created {
        let existed = rrs.iter().filter(|rr| (rr.fingerprint, rr.name) == (fingerprint, name)).count();
        if responses > existed {
            violations.push(Violation::CreatedTwice { rr: name.to_owned(), responses, existed });
        }
    }
    let mut attributions = Vec::new();
    for (key, attempts) in groups {
        let candidates = candidates.get(&key).map_or(&[][..], Vec::as_slice);
        attribute_group(history, since, attempts, candidates, &mut attributions, violations);
    }
    attributions
}

/// The writes by fingerprint, RR name and resulting count, oldest first.
fn candidates<'a>(rrs: &[Rr<'a>], writes: &[ControllerWrite]) -> HashMap<(&'a str, &'a str, u64), Vec<Candidate>> {
    let mut terminal = HashMap::<&str, Micros>::new();
    let mut deleted = HashMap::<&str, Micros>::new();
    for write in writes {
        let end = terminal.entry(&write.uid).or_insert(write.end);
        *end = write.end.min(*end);
        if write.deleted {
            deleted.insert(&write.uid, write.start);
        }
    }
    let (mut candidates, mut free_since) = (HashMap::<_, Vec<Candidate>>::new(), HashMap::<_, Micros>::new());
    for (index, rr) in rrs.iter().enumerate() {
        let from = free_since.get(&(rr.fingerprint, rr.name)).copied().unwrap_or(0);
        let until = terminal.get(rr.uid).copied().unwrap_or(Micros::MAX);
        for step in &rr.steps {
            let candidate = Candidate { rr: index, step: *step, from, until };
            candidates.entry((rr.fingerprint, rr.name, step.to)).or_default().push(candidate);
        }
        if let Some(start) = deleted.get(rr.uid) {
            free_since.insert((rr.fingerprint, rr.name), *start);
        }
    }
    candidates
}

/// Greedy: each write, oldest first, gets the fitting attempts whose last fitting write is earliest. The writes that
/// fit an attempt are consecutive, so no other order attributes more attempts, and none leaves fewer unexplained
/// signals in early writes.
fn attribute_group(
    history: &History,
    since: &[Micros],
    mut attempts: Vec<usize>,
    candidates: &[Candidate],
    attributions: &mut Vec<Attribution>,
    violations: &mut Vec<Violation>,
) {
    let last_fit =
        |attempt: &usize| candidates.iter().rposition(|one| one.fits(&history.attempts[*attempt], since[*attempt]));
    attempts.sort_by_key(last_fit);
    for candidate in candidates {
        let mut room = candidate.room();
        attempts.retain(|attempt| {
            let taken = room > 0 && candidate.fits(&history.attempts[*attempt], since[*attempt]);
            if taken {
                room -= 1;
                let Step { to: count, at, .. } = candidate.step;
                attributions.push(Attribution { attempt: *attempt, rr: candidate.rr, count, at });
            }
            !taken
        });
    }
    let lost = attempts.into_iter().map(|attempt| (&history.attempts[attempt], since[attempt]));
    violations.extend(lost.map(|(attempt, since)| lost_violation(attempt, since, candidates)));
}

fn lost_violation(attempt: &Attempt, since: Micros, candidates: &[Candidate]) -> Violation {
    let (rr, count) = match &attempt.observation {
        Observation::Counted { rr, count, .. } => (rr.clone(), *count),
        _ => (String::new(), 0),
    };
    let (signal, fits) = (attempt.signal, candidates.iter().any(|one| one.fits(attempt, since)));
    if !fits && candidates.iter().any(|one| one.fits_ignoring_end(attempt, since)) {
        Violation::AcknowledgedInTerminal { signal, rr }
    } else {
        Violation::Lost { signal, rr, count }
    }
}

/// Whatever a write counted beyond the attempts attributed to it must be ambiguous attempts of its incident, sent
/// before the write was seen, each counted once. One that a later attempt is acknowledged for is among those attributed. Returns
/// how many counted signals remain that were not sent.
pub(super) fn check_excess(
    history: &History,
    rrs: &[Rr<'_>],
    attributions: &[Attribution],
    violations: &mut Vec<Violation>,
) -> u64 {
    let mut attributed = HashMap::<(usize, u64), u64>::new();
    for one in attributions {
        *attributed.entry((one.rr, one.count)).or_default() += 1;
    }
    // The ambiguous attempts that an acknowledgement explains.
    let mut explained = HashMap::<u64, u64>::new();
    for one in attributions.iter().filter(|one| one.is_of_an_earlier_attempt(history)) {
        *explained.entry(history.attempts[one.attempt].signal).or_default() += 1;
    }
    let mut ambiguous = HashMap::<&str, Vec<Micros>>::new();
    for attempt in history.attempts.iter().filter(|attempt| attempt.observation.is_ambiguous()) {
        match explained.get_mut(&attempt.signal) {
            Some(left) if *left > 0 => *left -= 1,
            _ => ambiguous.entry(&attempt.fingerprint).or_default().push(attempt.start),
        }
    }
    ambiguous.values_mut().for_each(|starts| starts.sort_unstable());

    let of_rr = |(index, rr): (usize, &Rr<'_>)| rr.steps.iter().map(|step| (index, *step)).collect::<Vec<_>>();
    let mut steps: Vec<(usize, Step)> = rrs.iter().enumerate().flat_map(of_rr).collect();
    steps.sort_by_key(|(_, step)| step.version);
    let (mut used, mut total) = (HashMap::<&str, usize>::new(), 0);
    for (index, step) in steps {
        let rr = &rrs[index];
        let unexplained = step.to - step.from - attributed.get(&(index, step.to)).copied().unwrap_or(0);
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
