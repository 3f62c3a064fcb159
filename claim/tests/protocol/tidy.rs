//! Removing late RRs and claims that nobody needs, call by call.

use onceway_claim::{Answer, Call, Phase, Reap, Rr, Sweep, Tidied, Tidy};

use super::script::{OLD, OTHER, claim, fields, get_rr, in_phase, rr};

const NEWER: &str = "rr-abc-950";

fn late() -> Rr {
    rr(OLD, OTHER, "r1", 0)
}

/// What a reaper does that meets these answers.
fn reaps(answers: [Answer; 2]) -> Tidy {
    let (mut reap, first) = Reap::begin(OLD.into());
    assert_eq!(first, get_rr(OLD));
    let [of_rr, of_claim] = answers;
    match reap.resume(of_rr) {
        Tidy::Call(call) => assert_eq!(call, Call::GetClaim),
        over => return over,
    }
    reap.resume(of_claim)
}

#[test]
fn an_rr_of_ours_without_a_count_that_no_claim_names_is_removed_as_it_was_seen() {
    for moved_on in [Answer::Missing, Answer::Claim(claim("c2", fields("", NEWER, true)))] {
        let (mut reap, _) = Reap::begin(OLD.into());
        reap.resume(Answer::Rr(late()));
        assert_eq!(reap.resume(moved_on), Tidy::Call(Call::DeleteRr { rr: late() }));
        assert_eq!(reap.resume(Answer::Deleted), Tidy::Over(Tidied::Removed));
    }
}

#[test]
fn an_rr_that_a_claim_names_is_kept() {
    let intended = Answer::Claim(claim("c1", fields(OTHER, OLD, false)));
    assert_eq!(reaps([Answer::Rr(late()), intended]), Tidy::Over(Tidied::Kept));
}

#[test]
fn an_rr_that_counts_or_has_ended_or_is_not_ours_is_kept() {
    let counted = rr(OLD, OTHER, "r1", 1);
    let ended = in_phase(late(), Phase::Ended);
    let made_by_hand = rr(OLD, "", "r1", 0);
    let of_another = Rr { ours: false, ..late() };
    for kept in [counted, ended, made_by_hand, of_another] {
        assert_eq!(reaps([Answer::Rr(kept.clone()), Answer::Missing]), Tidy::Over(Tidied::Kept), "{kept:?}");
    }
}

#[test]
fn an_rr_that_was_counted_in_meanwhile_is_kept() {
    let (mut reap, _) = Reap::begin(OLD.into());
    reap.resume(Answer::Rr(late()));
    reap.resume(Answer::Missing);
    assert_eq!(reap.resume(Answer::Conflict), Tidy::Over(Tidied::Kept));
}

#[test]
fn an_rr_that_somebody_else_removes_first_is_gone_and_not_kept() {
    assert_eq!(reaps([Answer::Missing, Answer::Missing]), Tidy::Over(Tidied::Gone));
    let (mut reap, _) = Reap::begin(OLD.into());
    reap.resume(Answer::Rr(late()));
    reap.resume(Answer::Missing);
    assert_eq!(reap.resume(Answer::Missing), Tidy::Over(Tidied::Gone));
}

#[test]
fn a_reaper_that_gets_no_answer_removes_nothing() {
    assert_eq!(reaps([Answer::Unknown, Answer::Missing]), Tidy::Over(Tidied::Unknown));
    assert_eq!(reaps([Answer::Rr(late()), Answer::Unknown]), Tidy::Over(Tidied::Unknown));
}

/// What a sweeper does with a claim (created or open, at version c1) whose RR is read as `of_rr`.
fn sweeps(created: bool, settled: Option<&str>, of_rr: Answer) -> Tidy {
    let (mut sweep, first) = Sweep::begin(settled.map(Into::into));
    assert_eq!(first, Call::GetClaim);
    let next = sweep.resume(Answer::Claim(claim("c1", fields(OTHER, OLD, created))));
    assert_eq!(next, Tidy::Call(get_rr(OLD)));
    sweep.resume(of_rr)
}

#[test]
fn a_claim_whose_rr_has_existed_and_is_gone_is_removed_as_it_was_seen() {
    let seen = claim("c1", fields(OTHER, OLD, true));
    assert_eq!(sweeps(true, None, Answer::Missing), Tidy::Call(Call::DeleteClaim { claim: seen }));
}

#[test]
fn a_sweep_is_over_once_its_claim_is_deleted_by_it_or_by_another_or_has_changed() {
    let ends = [(Answer::Deleted, Tidied::Removed), (Answer::Missing, Tidied::Gone), (Answer::Conflict, Tidied::Kept)];
    for (answer, over) in ends {
        let (mut sweep, _) = Sweep::begin(None);
        sweep.resume(Answer::Claim(claim("c1", fields(OTHER, OLD, true))));
        sweep.resume(Answer::Missing);
        assert_eq!(sweep.resume(answer), Tidy::Over(over));
    }
}

#[test]
fn a_claim_whose_rr_is_there_is_kept_in_whatever_phase() {
    for phase in [Phase::Active, Phase::Ended, Phase::ManualReview] {
        let there = Answer::Rr(in_phase(late(), phase));
        assert_eq!(sweeps(true, Some("c1"), there), Tidy::Over(Tidied::Kept), "{phase:?}");
    }
}

#[test]
fn an_open_claim_goes_only_at_the_version_that_was_seen_unchanged_for_long() {
    let open = || Tidy::Over(Tidied::Open("c1".into()));
    assert_eq!(sweeps(false, None, Answer::Missing), open());
    assert_eq!(sweeps(false, Some("c0"), Answer::Missing), open());
    assert!(matches!(sweeps(false, Some("c1"), Answer::Missing), Tidy::Call(Call::DeleteClaim { .. })));
}

#[test]
fn a_sweeper_that_gets_no_answer_removes_nothing() {
    assert_eq!(sweeps(true, None, Answer::Unknown), Tidy::Over(Tidied::Unknown));
    let (mut sweep, _) = Sweep::begin(None);
    assert_eq!(sweep.resume(Answer::Missing), Tidy::Over(Tidied::Gone), "somebody else has swept it");
}
