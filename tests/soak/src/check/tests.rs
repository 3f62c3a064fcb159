//! Hand-written histories: exact ones, exact ones with ambiguous attempts, and one per violation. If one of the latter
//! passes, so does a soak with that violation.

use super::{Verdict, Violation, judge};
use crate::history::{Attempt, ControllerWrite, Event, FinalRr, History, Micros, Observation};

const INCIDENT: &str = "91fc";

/// A history of one incident, built line by line. The RR with uid `"u1"` is named `"rr-1"`, unless `version` names it.
#[derive(Clone, Default)]
struct Story(History);

impl Story {
    /// The incident starts at 10 with one signal, which creates RR u1.
    fn started() -> Self {
        Self::default().seen(11, "u1", 0).seen(12, "u1", 1).created(10, 13, "rr-1", 1)
    }

    fn version(mut self, at: Micros, uid: &str, name: &str, count: u64, terminal: bool, deleted: bool) -> Self {
        let version = self.0.events.len() as u64 + 100;
        self.0.events.push(Event {
            at,
            version,
            uid: uid.into(),
            name: name.into(),
            fingerprint: INCIDENT.into(),
            creator: "onceway-0".into(),
            count,
            terminal,
            deleted,
        });
        self
    }

    fn seen(self, at: Micros, uid: &str, count: u64) -> Self {
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, false, false)
    }

    /// The controller ends the RR: the watch delivers it at `at`, and the response follows.
    fn ended(mut self, at: Micros, uid: &str, count: u64) -> Self {
        self.0.writes.push(ControllerWrite { start: at - 1, end: at + 1, uid: uid.into(), deleted: false });
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, true, false)
    }

    fn deleted(mut self, at: Micros, uid: &str, count: u64) -> Self {
        self.0.writes.push(ControllerWrite { start: at - 1, end: at + 1, uid: uid.into(), deleted: true });
        let name = uid.replace('u', "rr-");
        self.version(at, uid, &name, count, true, true)
    }

    fn attempt(self, start: Micros, end: Micros, observation: Observation) -> Self {
        let signal = self.0.attempts.len() as u64;
        self.sent(signal, false, start, end, observation)
    }

    fn sent(mut self, signal: u64, marked: bool, start: Micros, end: Micros, observation: Observation) -> Self {
        let fingerprint = INCIDENT.into();
        self.0.attempts.push(Attempt { signal, fingerprint, marked, replica: 0, start, end, observation });
        self
    }

    /// The second attempt at a signal of which the first, at 14, got no response.
    fn sent_again(self, marked: bool, start: Micros, rr: &str, count: u64) -> Self {
        let counted = Observation::Counted { created: false, rr: rr.into(), count };
        self.sent(7, marked, 14, 15, Observation::NoResponse).sent(7, marked, start, start + 4, counted)
    }

    fn acknowledged(self, start: Micros, end: Micros, rr: &str, count: u64) -> Self {
        self.attempt(start, end, Observation::Counted { created: false, rr: rr.into(), count })
    }

    fn created(self, start: Micros, end: Micros, rr: &str, count: u64) -> Self {
        self.attempt(start, end, Observation::Counted { created: true, rr: rr.into(), count })
    }

    /// The verdict, with a final read that agrees with the watch.
    fn judged(mut self) -> Verdict {
        let last = |uid: &str| self.0.events.iter().rfind(|event| event.uid == uid);
        let mut final_rrs: Vec<FinalRr> = Vec::new();
        for event in &self.0.events {
            let there = last(&event.uid).is_some_and(|last| last.version == event.version && !last.deleted);
            final_rrs.extend(there.then(|| FinalRr { uid: event.uid.clone(), version: event.version }));
        }
        self.0.final_rrs = final_rrs;
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
fn a_recurring_incident_with_every_signal_counted_in_order_is_exact() {
    let story = Story::started()
        .seen(22, "u1", 3)
        .acknowledged(20, 24, "rr-1", 3)
        .acknowledged(21, 25, "rr-1", 3)
        .ended(30, "u1", 3);
    let story = story.seen(41, "u2", 0).seen(42, "u2", 1).created(40, 43, "rr-2", 1).deleted(50, "u1", 3);
    let verdict = story.clone().judged();
    let totals = verdict.totals;
    assert_eq!((totals.incidents, totals.acknowledged, totals.counted, totals.attempts), (1, 4, 4, 4));
    story.passes();
}

#[test]
fn an_ambiguous_attempt_may_have_been_counted_late_once_or_never() {
    let ambiguous = || Story::started().attempt(14, 15, Observation::NoResponse);
    ambiguous().acknowledged(20, 24, "rr-1", 2).seen(22, "u1", 2).passes();
    ambiguous().acknowledged(20, 24, "rr-1", 3).seen(22, "u1", 3).passes();
    let late = ambiguous().acknowledged(20, 24, "rr-1", 2).seen(22, "u1", 2).ended(30, "u1", 2).seen(40, "u2", 0);
    late.seen(41, "u2", 2).created(39, 44, "rr-2", 2).passes();
}

#[test]
fn a_name_reused_after_a_deletion_is_another_rr() {
    let story = Story::started().ended(20, "u1", 1).deleted(30, "u1", 1);
    let again = story.version(41, "u9", "rr-1", 0, false, false).version(42, "u9", "rr-1", 1, false, false);
    again.created(40, 43, "rr-1", 1).passes();
}

#[test]
fn a_late_rr_deleted_without_a_count_is_no_duplicate() {
    let verdict = Story::started().seen(20, "u2", 0).deleted(21, "u2", 0).judged();
    assert!(verdict.is_exact(), "{verdict:#?}");
    assert_eq!(verdict.totals.late_creates, 1);
}

#[test]
fn two_active_rrs_with_a_count_are_a_duplicate() {
    let story = Story::started().seen(21, "u2", 0).seen(22, "u2", 1).created(20, 24, "rr-2", 1);
    let verdict = story.has_only(|violation| matches!(violation, Violation::Duplicate { .. }));
    assert_eq!(verdict.totals.duplicates, 1);
}

#[test]
fn an_acknowledged_signal_that_no_write_counted_is_lost() {
    let verdict = Story::started()
        .acknowledged(20, 24, "rr-1", 2)
        .has_only(|violation| matches!(violation, Violation::Lost { .. }));
    assert_eq!(verdict.totals.lost, 1);
}

#[test]
fn a_count_below_its_acknowledged_signals_has_lost_one() {
    let story = Story::started().acknowledged(20, 24, "rr-1", 2).acknowledged(21, 25, "rr-1", 2).seen(22, "u1", 2);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn an_acknowledgement_with_another_incidents_rr_is_lost() {
    let story = Story::started().acknowledged(20, 24, "rr-of-another", 1);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_write_seen_before_its_signal_was_sent_does_not_count_it() {
    let story =
        Story::started().attempt(14, 15, Observation::NoResponse).seen(16, "u1", 2).acknowledged(20, 24, "rr-1", 2);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_signal_sent_once_and_counted_twice_is_in_excess() {
    let story = Story::started().seen(22, "u1", 3).acknowledged(20, 24, "rr-1", 3);
    let verdict = story.has_only(|violation| matches!(violation, Violation::Excess { .. }));
    assert_eq!(verdict.totals.excess, 1);
}

#[test]
fn an_ambiguous_attempt_explains_no_second_count_and_none_before_it_was_sent() {
    let once = Story::started().attempt(14, 15, Observation::Retry(503)).seen(16, "u1", 2).seen(22, "u1", 4);
    once.acknowledged(20, 24, "rr-1", 4).has_only(|violation| matches!(violation, Violation::Excess { .. }));
    let early = Story::started().seen(14, "u1", 2).attempt(15, 16, Observation::NoResponse).seen(22, "u1", 3);
    early.acknowledged(20, 24, "rr-1", 3).has_only(|violation| matches!(violation, Violation::Excess { .. }));
}

#[test]
fn a_marked_attempt_may_be_acknowledged_for_what_an_earlier_one_was_counted_for() {
    let counted = || Story::started().seen(16, "u1", 2);
    let verdict = counted().sent_again(true, 20, "rr-1", 2).judged();
    assert!(verdict.is_exact() && verdict.totals.again == 1, "{verdict:#?}");
    // Even in an incident that has ended meanwhile, and after a signal that was counted later.
    let ended = counted().ended(17, "u1", 2).seen(18, "u2", 0).seen(19, "u2", 1).created(17, 19, "rr-2", 1);
    ended.sent_again(true, 20, "rr-1", 2).passes();
    // Each attempt may have been counted on its own, too.
    let verdict = counted().seen(22, "u1", 3).sent_again(true, 20, "rr-1", 3).judged();
    assert!(verdict.is_exact() && verdict.totals.again == 0, "{verdict:#?}");
}

#[test]
fn an_acknowledgement_for_an_earlier_attempt_uses_that_one_up() {
    let twice = Story::started().seen(16, "u1", 2).seen(22, "u1", 3).sent_again(true, 20, "rr-1", 2);
    twice.has_only(|violation| matches!(violation, Violation::Excess { .. }));
}

#[test]
fn an_attempt_without_a_mark_is_acknowledged_for_itself_alone() {
    let story = Story::started().seen(16, "u1", 2).sent_again(false, 20, "rr-1", 2);
    story.has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_marked_attempt_that_was_counted_by_nobody_is_lost() {
    Story::started().sent_again(true, 20, "rr-1", 2).has_only(|violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn an_attempt_that_was_never_sent_explains_nothing() {
    let story =
        Story::started().attempt(14, 15, Observation::NotSent).seen(22, "u1", 3).acknowledged(20, 24, "rr-1", 3);
    story.has_only(|violation| matches!(violation, Violation::Excess { .. }));
}

#[test]
fn an_acknowledgement_in_an_rr_that_was_terminal_before_the_signal_was_sent_is_caught() {
    // The watch delivers the write late, so the watch's times alone would allow it.
    let mut story = Story::started().seen(35, "u1", 2).acknowledged(30, 36, "rr-1", 2).ended(40, "u1", 2);
    story.0.writes[0] = ControllerWrite { start: 20, end: 25, uid: "u1".into(), deleted: false };
    let verdict = story.seen(50, "u2", 0).seen(51, "u2", 1).created(49, 52, "rr-2", 1).judged();
    assert!(
        verdict.violations.iter().any(|one| matches!(one, Violation::AcknowledgedInTerminal { .. })),
        "{verdict:#?}"
    );
}

#[test]
fn a_count_in_a_terminal_rr_is_caught() {
    let story =
        Story::started().acknowledged(19, 40, "rr-1", 2).ended(20, "u1", 1).version(22, "u1", "rr-1", 2, true, false);
    story.has_only(|violation| matches!(violation, Violation::CountedInTerminal { .. }));
}

#[test]
fn a_terminal_rr_that_becomes_active_again_is_caught() {
    let story = Story::started().ended(20, "u1", 1).seen(30, "u1", 1);
    story.has_only(|violation| matches!(violation, Violation::Reopened { .. }));
}

#[test]
fn two_201_responses_for_one_rr_are_caught() {
    let story = Story::started().seen(22, "u1", 2).created(20, 24, "rr-1", 2);
    story.has_only(|violation| matches!(violation, Violation::CreatedTwice { .. }));
}

#[test]
fn a_signal_sent_after_anothers_response_is_counted_after_it() {
    let same = Story::started().seen(40, "u1", 3).acknowledged(20, 24, "rr-1", 3).acknowledged(30, 41, "rr-1", 3);
    same.has_only(|violation| matches!(violation, Violation::OutOfOrder { .. }));
    let lower = Story::started()
        .seen(40, "u1", 2)
        .seen(41, "u1", 3)
        .acknowledged(20, 24, "rr-1", 3)
        .acknowledged(30, 41, "rr-1", 2);
    lower.has_only(|violation| matches!(violation, Violation::OutOfOrder { .. }));
}

#[test]
fn a_decreasing_count_is_caught() {
    let story = Story::started().seen(22, "u1", 2).acknowledged(20, 24, "rr-1", 2).seen(30, "u1", 1);
    let verdict = story.judged();
    assert!(
        verdict.violations.iter().any(|violation| matches!(violation, Violation::CountFell { .. })),
        "{verdict:#?}"
    );
}

#[test]
fn a_rejected_or_never_acknowledged_signal_is_caught() {
    let rejected =
        Story::started().attempt(20, 24, Observation::Rejected("400".into())).acknowledged(30, 34, "rr-1", 2);
    rejected.seen(32, "u1", 2).has_only(|violation| matches!(violation, Violation::Rejected { .. }));
    let stuck = Story::started().attempt(20, 24, Observation::Retry(503));
    stuck.has_only(|violation| matches!(violation, Violation::Stuck { .. }));
}

#[test]
fn a_remaining_active_rr_without_a_count_is_caught() {
    let story = Story::started().seen(20, "u2", 0);
    story.has_only(|violation| matches!(violation, Violation::Uncounted { .. }));
}

#[test]
fn a_watch_that_missed_a_version_proves_nothing() {
    let mut story = Story::started();
    story.0.events[1].version = 1;
    story.has_only(|violation| matches!(violation, Violation::ObserverGap { .. }));
    let mut unseen = Story::started();
    unseen.0.final_rrs = vec![FinalRr { uid: "u7".into(), version: 300 }];
    let verdict = judge(&unseen.0);
    assert!(matches!(verdict.violations.as_slice(), [Violation::ObserverGap { .. }]), "{verdict:#?}");
}

#[test]
fn an_empty_history_is_not_exact() {
    assert!(!judge(&History::default()).is_exact());
}
