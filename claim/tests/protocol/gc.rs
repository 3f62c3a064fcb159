//! Removing late RRs and claims that nobody needs, call by call.

use onceway_claim::{ApiCall, ApiResult, ClaimGc, GcOutcome, GcStep, Phase, Rr, RrGc};

use super::script::{OLD, OTHER, claim, fields, get_rr, in_phase, rr};

const NEWER: &str = "rr-abc-950";

fn late() -> Rr {
    rr(OLD, OTHER, "r1", 0)
}

/// What a reaper does that meets these answers.
fn reaps(answers: [ApiResult; 2]) -> GcStep {
    let (mut reap, first) = RrGc::begin(OLD.into());
    assert_eq!(first, get_rr(OLD));
    let [of_rr, of_claim] = answers;
    match reap.resume(of_rr) {
        GcStep::Call(call) => assert_eq!(call, ApiCall::GetClaim),
        over => return over,
    }
    reap.resume(of_claim)
}

#[test]
fn an_rr_of_ours_without_a_count_that_no_claim_names_is_removed_as_it_was_seen() {
    for moved_on in [ApiResult::Missing, ApiResult::Claim(claim("c2", fields("", NEWER, true)))] {
        let (mut reap, _) = RrGc::begin(OLD.into());
        reap.resume(ApiResult::Rr(late()));
        assert_eq!(reap.resume(moved_on), GcStep::Call(ApiCall::DeleteRr { rr: late() }));
        assert_eq!(reap.resume(ApiResult::Deleted), GcStep::Over(GcOutcome::Removed));
    }
}

#[test]
fn an_rr_that_a_claim_names_is_kept() {
    let intended = ApiResult::Claim(claim("c1", fields(OTHER, OLD, false)));
    assert_eq!(reaps([ApiResult::Rr(late()), intended]), GcStep::Over(GcOutcome::Kept));
}

#[test]
fn an_rr_that_counts_or_has_ended_or_is_not_ours_is_kept() {
    let counted = rr(OLD, OTHER, "r1", 1);
    let ended = in_phase(late(), Phase::Ended);
    let made_by_hand = rr(OLD, "", "r1", 0);
    let of_another = Rr { ours: false, ..late() };
    for kept in [counted, ended, made_by_hand, of_another] {
        assert_eq!(reaps([ApiResult::Rr(kept.clone()), ApiResult::Missing]), GcStep::Over(GcOutcome::Kept), "{kept:?}");
    }
}

#[test]
fn an_rr_that_was_counted_in_meanwhile_is_kept() {
    let (mut reap, _) = RrGc::begin(OLD.into());
    reap.resume(ApiResult::Rr(late()));
    reap.resume(ApiResult::Missing);
    assert_eq!(reap.resume(ApiResult::Conflict), GcStep::Over(GcOutcome::Kept));
}

#[test]
fn an_rr_that_somebody_else_removes_first_is_gone_and_not_kept() {
    assert_eq!(reaps([ApiResult::Missing, ApiResult::Missing]), GcStep::Over(GcOutcome::Gone));
    let (mut reap, _) = RrGc::begin(OLD.into());
    reap.resume(ApiResult::Rr(late()));
    reap.resume(ApiResult::Missing);
    assert_eq!(reap.resume(ApiResult::Missing), GcStep::Over(GcOutcome::Gone));
}

#[test]
fn a_reaper_that_gets_no_answer_removes_nothing() {
    assert_eq!(reaps([ApiResult::Unknown, ApiResult::Missing]), GcStep::Over(GcOutcome::Unknown));
    assert_eq!(reaps([ApiResult::Rr(late()), ApiResult::Unknown]), GcStep::Over(GcOutcome::Unknown));
}

/// What a sweeper does with a claim (created or open, at version c1) whose RR is read as `of_rr`.
fn sweeps(created: bool, settled: Option<&str>, of_rr: ApiResult) -> GcStep {
    let (mut sweep, first) = ClaimGc::begin(settled.map(Into::into));
    assert_eq!(first, ApiCall::GetClaim);
    let next = sweep.resume(ApiResult::Claim(claim("c1", fields(OTHER, OLD, created))));
    assert_eq!(next, GcStep::Call(get_rr(OLD)));
    sweep.resume(of_rr)
}

#[test]
fn a_claim_whose_rr_has_existed_and_is_gone_is_removed_as_it_was_seen() {
    let seen = claim("c1", fields(OTHER, OLD, true));
    assert_eq!(sweeps(true, None, ApiResult::Missing), GcStep::Call(ApiCall::DeleteClaim { claim: seen }));
}

#[test]
fn a_sweep_is_over_once_its_claim_is_deleted_by_it_or_by_another_or_has_changed() {
    let ends = [
        (ApiResult::Deleted, GcOutcome::Removed),
        (ApiResult::Missing, GcOutcome::Gone),
        (ApiResult::Conflict, GcOutcome::Kept),
    ];
    for (answer, over) in ends {
        let (mut sweep, _) = ClaimGc::begin(None);
        sweep.resume(ApiResult::Claim(claim("c1", fields(OTHER, OLD, true))));
        sweep.resume(ApiResult::Missing);
        assert_eq!(sweep.resume(answer), GcStep::Over(over));
    }
}

#[test]
fn a_claim_whose_rr_is_there_is_kept_in_whatever_phase() {
    for phase in [Phase::Active, Phase::Ended, Phase::ManualReview] {
        let there = ApiResult::Rr(in_phase(late(), phase));
        assert_eq!(sweeps(true, Some("c1"), there), GcStep::Over(GcOutcome::Kept), "{phase:?}");
    }
}

#[test]
fn an_open_claim_goes_only_at_the_version_that_was_seen_unchanged_for_long() {
    let open = || GcStep::Over(GcOutcome::Open("c1".into()));
    assert_eq!(sweeps(false, None, ApiResult::Missing), open());
    assert_eq!(sweeps(false, Some("c0"), ApiResult::Missing), open());
    assert!(matches!(sweeps(false, Some("c1"), ApiResult::Missing), GcStep::Call(ApiCall::DeleteClaim { .. })));
}

#[test]
fn a_sweeper_that_gets_no_answer_removes_nothing() {
    assert_eq!(sweeps(true, None, ApiResult::Unknown), GcStep::Over(GcOutcome::Unknown));
    let (mut sweep, _) = ClaimGc::begin(None);
    assert_eq!(sweep.resume(ApiResult::Missing), GcStep::Over(GcOutcome::Gone), "somebody else has swept it");
}
