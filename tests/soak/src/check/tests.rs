//! Histories made by hand: a good one, ambiguous ones that are good all the same, and one for each thing that must be
//! caught. A checker that lets one of these pass would let a soak pass that must not.

use super::{Verdict, Violation, judge};
use crate::history::{Answer, Attempt, Change, Event, History, Left, Micros};

const INCIDENT: &str = "91fc";

/// A history of one incident, told line by line; RR `"u1"` is named `"rr-1"` unless it is told otherwise.
#[derive(Clone, Default)]
struct Story(History);

impl Story {
    /// The incident begins at 10 with one signal, which creates RR u1.
    fn begun() -> Self {
        Self::default().seen(11, "u1", 0).seen(12, "u1", 1).created(10, 13, "rr-1", 1)
    }

    fn version(mut self, at: Micros, uid: &str, name: &str, count: u64, ended: bool, deleted: bool) -> Self {
        let version = self.0.events.len() as u64 + 100;
        self.0.events.push(Event {
            at,
            version,
            uid: uid.into(),
            name: name.into(),
            fingerprint: INCIDENT.into(),
            creator: "onceway-0".into(),
            count,
            ended,
            deleted,
        });
        self
    }

    fn seen(self, at: Micros, uid: &str, count: u64) -> Self {
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, false, false)
    }

    /// The controller ends the RR: the watch sees it at `at`, and a moment later its call is answered.
    fn ended(mut self, at: Micros, uid: &str, count: u64) -> Self {
        self.0.changes.push(Change { start: at - 1, end: at + 1, uid: uid.into(), deleted: false });
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, true, false)
    }

    fn deleted(mut self, at: Micros, uid: &str, count: u64) -> Self {
        self.0.changes.push(Change { start: at - 1, end: at + 1, uid: uid.into(), deleted: true });
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, true, true)
    }

    fn attempt(mut self, start: Micros, end: Micros, answer: Answer) -> Self {
        let signal = self.0.attempts.len() as u64;
        self.0.attempts.push(Attempt { signal, fingerprint: INCIDENT.into(), replica: 0, start, end, answer });
        self
    }

    fn told(self, start: Micros, end: Micros, rr: &str, count: u64) -> Self {
        self.attempt(start, end, Answer::Counted { created: false, rr: rr.into(), count })
    }

    fn created(self, start: Micros, end: Micros, rr: &str, count: u64) -> Self {
        self.attempt(start, end, Answer::Counted { created: true, rr: rr.into(), count })
    }

    /// The read at the end finds what the watch showed last.
    fn judged(mut self) -> Verdict {
        let last = |uid: &str| self.0.events.iter().rfind(|event| event.uid == uid);
        let mut left: Vec<Left> = Vec::new();
        for event in &self.0.events {
            let there = last(&event.uid).is_some_and(|last| last.version == event.version && !last.deleted);
            left.extend(there.then(|| Left { uid: event.uid.clone(), version: event.version }));
        }
        self.0.left = left;
        judge(&self.0)
    }

    fn passes(self) {
        let verdict = self.judged();
        assert!(verdict.is_exact(), "{verdict:#?}");
    }

    fn has_only(self, wanted: fn(&Violation) -> bool) -> Verdict {
        let verdict = self.judged();
        let [violation] = verdict.violations.as_slice() else { panic!("{verdict:#?}") };
        assert!(wanted(violation), "{verdict:#?}");
        verdict
    }
}

#[test]
fn an_incident_that_recurs_with_every_signal_in_its_place_is_exact() {
    let story = Story::begun().seen(22, "u1", 3).told(20, 24, "rr-1", 3).told(21, 25, "rr-1", 3).ended(30, "u1", 3);
    let story = story.seen(41, "u2", 0).seen(42, "u2", 1).created(40, 43, "rr-2", 1).deleted(50, "u1", 3);
    let verdict = story.clone().judged();
    let totals = verdict.totals;
    assert_eq!((totals.incidents, totals.acknowledged, totals.counted, totals.attempts), (1, 4, 4, 4));
    story.passes();
}

#[test]
fn an_ambiguous_attempt_may_have_been_counted_late_once_or_never() {
    let ambiguous = || Story::begun().attempt(14, 15, Answer::Nothing);
    ambiguous().told(20, 24, "rr-1", 2).seen(22, "u1", 2).passes();
    ambiguous().told(20, 24, "rr-1", 3).seen(22, "u1", 3).passes();
    let late = ambiguous().told(20, 24, "rr-1", 2).seen(22, "u1", 2).ended(30, "u1", 2).seen(40, "u2", 0);
    late.seen(41, "u2", 2).created(39, 44, "rr-2", 2).passes();
}

#[test]
fn a_name_that_comes_back_after_a_deletion_is_another_rr() {
    let story = Story::begun().ended(20, "u1", 1).deleted(30, "u1", 1);
    let again = story.version(41, "u9", "rr-1", 0, false, false).version(42, "u9", "rr-1", 1, false, false);
    again.created(40, 43, "rr-1", 1).passes();
}

#[test]
fn an_rr_that_came_late_and_was_removed_without_a_count_is_no_duplicate() {
    let verdict = Story::begun().seen(20, "u2", 0).deleted(21, "u2", 0).judged();
    assert!(verdict.is_exact(), "{verdict:#?}");
    assert_eq!(verdict.totals.late_creates, 1);
}

#[test]
fn two_active_rrs_with_a_count_are_a_duplicate() {
    let story = Story::begun().seen(21, "u2", 0).seen(22, "u2", 1).created(20, 24, "rr-2", 1);
    let verdict = story.has_only(|violation| matches!(violation, Violation::Duplicate { .. }));
    assert_eq!(verdict.totals.duplicates, 1);
}

#[test]
fn an_acknowledged_signal_that_no_write_counted_is_lost() {
    let verdict =
        Story::begun().told(20, 24, "rr-1", 2).has_only(|violation| matches!(violation, Violation::Lost { .. }));
    assert_eq!(verdict.totals.lost, 1);
}

#[test]
fn a_count_that_is_lower_than_the_signals_acknowledged_in_it_has_lost_one() {
    let story = Story::begun().told(20, 24, "rr-1", 2).told(21, 25, "rr-1", 2).seen(22, "u1", 2);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn an_acknowledgement_that_names_another_incidents_rr_is_lost() {
    let story = Story::begun().told(20, 24, "rr-of-another", 1);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_write_seen_before_its_signal_was_sent_does_not_count_it() {
    let story = Story::begun().attempt(14, 15, Answer::Nothing).seen(16, "u1", 2).told(20, 24, "rr-1", 2);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_signal_that_was_sent_once_and_is_counted_twice_is_in_excess() {
    let story = Story::begun().seen(22, "u1", 3).told(20, 24, "rr-1", 3);
    let verdict = story.has_only(|violation| matches!(violation, Violation::Excess { .. }));
    assert_eq!(verdict.totals.excess, 1);
}

#[test]
fn an_ambiguous_attempt_explains_no_second_count_and_none_before_it_was_sent() {
    let once = Story::begun().attempt(14, 15, Answer::Again(503)).seen(16, "u1", 2).seen(22, "u1", 4);
    once.told(20, 24, "rr-1", 4).has_only(|violation| matches!(violation, Violation::Excess { .. }));
    let early = Story::begun().seen(14, "u1", 2).attempt(15, 16, Answer::Nothing).seen(22, "u1", 3);
    early.told(20, 24, "rr-1", 3).has_only(|violation| matches!(violation, Violation::Excess { .. }));
}

#[test]
fn an_attempt_that_was_never_sent_explains_nothing() {
    let story = Story::begun().attempt(14, 15, Answer::Unsent).seen(22, "u1", 3).told(20, 24, "rr-1", 3);
    story.has_only(|violation| matches!(violation, Violation::Excess { .. }));
}

#[test]
fn an_acknowledgement_of_an_rr_that_had_ended_before_the_signal_was_sent_is_caught() {
    // The write is seen late, so that the times of the watch alone would allow it.
    let mut story = Story::begun().seen(35, "u1", 2).told(30, 36, "rr-1", 2).ended(40, "u1", 2);
    story.0.changes[0] = Change { start: 20, end: 25, uid: "u1".into(), deleted: false };
    let verdict = story.seen(50, "u2", 0).seen(51, "u2", 1).created(49, 52, "rr-2", 1).judged();
    assert!(verdict.violations.iter().any(|one| matches!(one, Violation::ToldOfEnded { .. })), "{verdict:#?}");
}

#[test]
fn a_count_in_an_rr_that_has_ended_is_caught() {
    let story = Story::begun().told(19, 40, "rr-1", 2).ended(20, "u1", 1).version(22, "u1", "rr-1", 2, true, false);
    story.has_only(|violation| matches!(violation, Violation::CountedInEnded { .. }));
}

#[test]
fn an_rr_that_becomes_active_again_is_caught() {
    let story = Story::begun().ended(20, "u1", 1).seen(30, "u1", 1);
    story.has_only(|violation| matches!(violation, Violation::Reopened { .. }));
}

#[test]
fn a_creation_that_two_senders_are_told_of_is_caught() {
    let story = Story::begun().seen(22, "u1", 2).created(20, 24, "rr-1", 2);
    story.has_only(|violation| matches!(violation, Violation::CreatedTwice { .. }));
}

#[test]
fn a_signal_sent_after_anothers_answer_must_have_a_later_place() {
    let same = Story::begun().seen(40, "u1", 3).told(20, 24, "rr-1", 3).told(30, 41, "rr-1", 3);
    same.has_only(|violation| matches!(violation, Violation::OutOfOrder { .. }));
    let lower = Story::begun().seen(40, "u1", 2).seen(41, "u1", 3).told(20, 24, "rr-1", 3).told(30, 41, "rr-1", 2);
    lower.has_only(|violation| matches!(violation, Violation::OutOfOrder { .. }));
}

#[test]
fn a_count_that_falls_is_caught() {
    let story = Story::begun().seen(22, "u1", 2).told(20, 24, "rr-1", 2).seen(30, "u1", 1);
    let verdict = story.judged();
    assert!(verdict.violations.iter().any(|violation| matches!(violation, Violation::Fell { .. })), "{verdict:#?}");
}

#[test]
fn a_signal_that_is_refused_or_never_gets_through_is_caught() {
    let refused = Story::begun().attempt(20, 24, Answer::Refused("400".into())).told(30, 34, "rr-1", 2);
    refused.seen(32, "u1", 2).has_only(|violation| matches!(violation, Violation::Refused { .. }));
    let stuck = Story::begun().attempt(20, 24, Answer::Again(503));
    stuck.has_only(|violation| matches!(violation, Violation::Stuck { .. }));
}

#[test]
fn an_active_rr_without_a_count_that_stays_is_caught() {
    let story = Story::begun().seen(20, "u2", 0);
    story.has_only(|violation| matches!(violation, Violation::LeftBehind { .. }));
}

#[test]
fn a_watch_that_misses_something_proves_nothing() {
    let mut story = Story::begun();
    story.0.events[1].version = 1;
    story.has_only(|violation| matches!(violation, Violation::Gap { .. }));
    let mut unseen = Story::begun();
    unseen.0.left = vec![Left { uid: "u7".into(), version: 300 }];
    let verdict = judge(&unseen.0);
    assert!(matches!(verdict.violations.as_slice(), [Violation::Gap { .. }]), "{verdict:#?}");
}

#[test]
fn a_history_in_which_nothing_happened_is_no_proof() {
    assert!(!judge(&History::default()).is_exact());
}
