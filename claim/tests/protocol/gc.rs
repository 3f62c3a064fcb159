//! Garbage collection of late RRs and unneeded claims, call by call.

use onceway_claim::{ApiCall, ApiResult, ClaimGc, GcOutcome, GcStep, Phase, Rr, RrGc};

use super::script::{OLD, OTHER, check, claim, fields, get_rr, in_phase, rr};

const NEWER: &str = "rr-abc-950";

fn late() -> Rr {
    rr(OLD, OTHER, "r1", 0)
}

/// The step of the RR GC after these results of its two reads.
fn collect_rr(results: [ApiResult; 2]) -> GcStep {
    let (mut gc, first) = RrGc::begin(OLD.into());
    assert_eq!(first, get_rr(OLD));
    let [of_rr, of_claim] = results;
    match gc.resume(of_rr) {
        GcStep::Call(call) => assert_eq!(call, ApiCall::GetClaim),
        done => return done,
    }
    gc.resume(of_claim)
}

#[test]
fn an_uncounted_rr_of_a_sidecar_that_no_claim_names_is_deleted_at_the_version_that_was_read() {
    for moved_on in [ApiResult::Missing, ApiResult::Claim(claim("c2", fields("", NEWER, true)))] {
        let (mut gc, _) = RrGc::begin(OLD.into());
        gc.resume(ApiResult::Rr(late()));
        assert_eq!(gc.resume(moved_on), GcStep::Call(ApiCall::DeleteRr { rr: late() }));
        assert_eq!(gc.resume(ApiResult::Deleted), GcStep::Done(GcOutcome::Removed));
    }
}

#[test]
fn an_rr_that_a_claim_names_is_kept() {
    let intended = ApiResult::Claim(claim("c1", fields(OTHER, OLD, false)));
    assert_eq!(collect_rr([ApiResult::Rr(late()), intended]), GcStep::Done(GcOutcome::Kept));
}

#[test]
fn an_rr_that_has_a_count_or_is_terminal_or_was_created_by_others_is_kept() {
    let counted = rr(OLD, OTHER, "r1", 1);
    let terminal = in_phase(late(), Phase::Terminal);
    let created_by_hand = rr(OLD, "", "r1", 0);
    let of_another = Rr { fingerprint_matches: false, ..late() };
    for kept in [counted, terminal, created_by_hand, of_another] {
        assert_eq!(
            collect_rr([ApiResult::Rr(kept.clone()), ApiResult::Missing]),
            GcStep::Done(GcOutcome::Kept),
            "{kept:?}"
        );
    }
}

#[test]
fn an_rr_that_was_counted_in_before_its_delete_is_kept() {
    let (mut gc, _) = RrGc::begin(OLD.into());
    gc.resume(ApiResult::Rr(late()));
    gc.resume(ApiResult::Missing);
    assert_eq!(gc.resume(ApiResult::Conflict), GcStep::Done(GcOutcome::Kept));
}

#[test]
fn an_rr_that_somebody_else_deletes_first_is_gone_and_not_kept() {
    assert_eq!(collect_rr([ApiResult::Missing, ApiResult::Missing]), GcStep::Done(GcOutcome::Gone));
    let (mut gc, _) = RrGc::begin(OLD.into());
    gc.resume(ApiResult::Rr(late()));
    gc.resume(ApiResult::Missing);
    assert_eq!(gc.resume(ApiResult::Missing), GcStep::Done(GcOutcome::Gone));
}

#[test]
fn an_rr_gc_with_an_unknown_result_deletes_nothing() {
    assert_eq!(collect_rr([ApiResult::Unknown, ApiResult::Missing]), GcStep::Done(GcOutcome::Unknown));
    assert_eq!(collect_rr([ApiResult::Rr(late()), ApiResult::Unknown]), GcStep::Done(GcOutcome::Unknown));
}

/// The step of the claim GC for a claim (created or open, at version c1) whose RR is read as `of_rr`.
fn collect_claim(created: bool, settled: Option<&str>, of_rr: ApiResult) -> GcStep {
    let (mut gc, first) = ClaimGc::begin(settled.map(Into::into));
    assert_eq!(first, ApiCall::GetClaim);
    let next = gc.resume(ApiResult::Claim(claim("c1", fields(OTHER, OLD, created))));
    assert_eq!(next, GcStep::Call(check(OLD, "c1")));
    gc.resume(of_rr)
}

#[test]
fn a_claim_whose_rr_existed_and_is_gone_is_deleted_at_the_version_that_was_read() {
    let seen = claim("c1", fields(OTHER, OLD, true));
    assert_eq!(collect_claim(true, None, ApiResult::Missing), GcStep::Call(ApiCall::DeleteClaim { claim: seen }));
}

#[test]
fn a_claim_gc_ends_once_its_claim_is_deleted_by_it_or_by_another_or_has_changed() {
    let cases = [
        (ApiResult::Deleted, GcOutcome::Removed),
        (ApiResult::Missing, GcOutcome::Gone),
        (ApiResult::Conflict, GcOutcome::Kept),
    ];
    for (result, outcome) in cases {
        let (mut gc, _) = ClaimGc::begin(None);
        gc.resume(ApiResult::Claim(claim("c1", fields(OTHER, OLD, true))));
        gc.resume(ApiResult::Missing);
        assert_eq!(gc.resume(result), GcStep::Done(outcome));
    }
}

#[test]
fn a_claim_whose_rr_exists_is_kept_in_every_phase() {
    for phase in [Phase::Active, Phase::Terminal, Phase::ManualReview] {
        let existing = ApiResult::Rr(in_phase(late(), phase));
        assert_eq!(collect_claim(true, Some("c1"), existing), GcStep::Done(GcOutcome::Kept), "{phase:?}");
    }
}

#[test]
fn an_open_claim_is_deleted_only_at_the_settled_version() {
    let open = || GcStep::Done(GcOutcome::Open("c1".into()));
    assert_eq!(collect_claim(false, None, ApiResult::Missing), open());
    assert_eq!(collect_claim(false, Some("c0"), ApiResult::Missing), open());
    assert!(matches!(collect_claim(false, Some("c1"), ApiResult::Missing), GcStep::Call(ApiCall::DeleteClaim { .. })));
}

#[test]
fn an_open_claim_is_deleted_at_once_if_its_rr_is_known_to_have_been_created_under_it() {
    let seen = claim("c1", fields(OTHER, OLD, false));
    assert_eq!(collect_claim(false, None, ApiResult::Gone), GcStep::Call(ApiCall::DeleteClaim { claim: seen }));
}

#[test]
fn a_claim_gc_with_an_unknown_result_deletes_nothing() {
    assert_eq!(collect_claim(true, None, ApiResult::Unknown), GcStep::Done(GcOutcome::Unknown));
    let (mut gc, _) = ClaimGc::begin(None);
    assert_eq!(gc.resume(ApiResult::Missing), GcStep::Done(GcOutcome::Gone), "another replica has collected it");
}
