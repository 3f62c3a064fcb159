//! Each simpler protocol that was refuted, as the step where it would differ.

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Phase};

use super::script::{
    FRESH, ME, OLD, OTHER, Script, check, claim, count, create_rr, fields, find, get_rr, in_phase, rr, transferred,
    update_claim,
};

/// A commit that has just written the claim's version `c1` for [`FRESH`].
fn holding_the_claim() -> Script {
    let mine = fields(ME, FRESH, false);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Missing)
        .on(&find(None), ApiResult::Missing)
        .on(&ApiCall::CreateClaim(mine.clone()), ApiResult::Claim(claim("c1", mine)))
}

fn fence() -> ApiCall {
    update_claim("c1", fields("", FRESH, true))
}

fn late_rr() -> onceway_claim::Rr {
    rr(FRESH, ME, "r1", 0)
}

#[test]
fn no_rr_is_created_under_a_claim_whose_write_failed_or_is_unknown() {
    for result in [ApiResult::Unknown, ApiResult::Conflict, ApiResult::Missing] {
        Script::begin(1)
            .on(&ApiCall::GetClaim, ApiResult::Missing)
            .on(&find(None), ApiResult::Missing)
            .on(&ApiCall::CreateClaim(fields(ME, FRESH, false)), result.clone())
            .expects(&ApiCall::GetClaim);
        Script::begin(1)
            .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
            .on(&check(OLD, "c1"), ApiResult::Missing)
            .on(&find(Some(OLD)), ApiResult::Missing)
            .on(&update_claim("c1", transferred(fields(ME, FRESH, false))), result)
            .expects(&ApiCall::GetClaim);
    }
}

#[test]
fn only_404_is_missing_and_any_other_failed_read_is_repeated() {
    Script::begin(1).on(&ApiCall::GetClaim, ApiResult::Unknown).expects(&ApiCall::GetClaim);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Unknown)
        .expects(&check(OLD, "c1"));
}

#[test]
fn a_create_that_was_not_prompt_is_fenced_by_a_write_before_counting() {
    holding_the_claim().after_ms(1001).on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr())).expects(&fence());
    holding_the_claim()
        .after_ms(1000)
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .expects(&count(&late_rr(), 1));
}

#[test]
fn a_repeated_create_is_fenced_however_prompt() {
    holding_the_claim()
        .on(&create_rr(FRESH, "c1"), ApiResult::Unknown)
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .expects(&fence());
}

#[test]
fn a_create_whose_response_was_lost_is_recognised_and_answered_as_created() {
    let done = holding_the_claim()
        .on(&create_rr(FRESH, "c1"), ApiResult::Unknown)
        .on(&create_rr(FRESH, "c1"), ApiResult::Conflict)
        .on(&check(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .on(&fence(), ApiResult::Claim(claim("c2", fields("", FRESH, true))))
        .on(&count(&late_rr(), 1), ApiResult::Rr(rr(FRESH, ME, "r2", 1)))
        .done();
    assert!(matches!(done, CommitOutcome::Counted { created: true, .. }));
}

#[test]
fn a_creator_whose_rr_another_replica_counted_in_first_still_answers_created() {
    let counted_in = rr(FRESH, ME, "r2", 1);
    let done = holding_the_claim()
        .after_ms(5000)
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .on(&fence(), ApiResult::Conflict)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c2", fields("", FRESH, true))))
        .on(&check(FRESH, "c2"), ApiResult::Rr(counted_in.clone()))
        .on(&count(&counted_in, 2), ApiResult::Rr(rr(FRESH, ME, "r3", 2)))
        .done();
    assert!(matches!(done, CommitOutcome::Counted { created: true, .. }));
}

#[test]
fn an_rr_without_a_count_is_confirmed_before_another_replica_counts_in_it() {
    let fresh = rr(OLD, OTHER, "r1", 0);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(OTHER, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Rr(fresh.clone()))
        .on(&update_claim("c1", fields("", OLD, true)), ApiResult::Claim(claim("c2", fields("", OLD, true))))
        .expects(&count(&fresh, 1));
}

#[test]
fn a_lost_fence_deletes_a_late_rr_of_this_process_if_the_claim_has_moved_on() {
    let moved_on = [ApiResult::Claim(claim("c9", fields(OTHER, "rr-abc-1001", true))), ApiResult::Missing];
    for (claim_now, fence_result) in moved_on.into_iter().zip([ApiResult::Conflict, ApiResult::Unknown]) {
        holding_the_claim()
            .after_ms(5000)
            .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
            .on(&fence(), fence_result)
            .on(&ApiCall::GetClaim, ApiResult::Unknown)
            .on(&ApiCall::GetClaim, claim_now)
            .on(&ApiCall::DeleteRr { rr: late_rr() }, ApiResult::Unknown)
            .on(&ApiCall::DeleteRr { rr: late_rr() }, ApiResult::Deleted)
            .expects(&ApiCall::GetClaim);
    }
}

#[test]
fn a_lost_fence_does_not_delete_the_rr_of_another_creator() {
    let newer = "rr-abc-1001";
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(OTHER, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Rr(rr(OLD, OTHER, "r1", 0)))
        .on(&update_claim("c1", fields("", OLD, true)), ApiResult::Conflict)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c9", fields(OTHER, newer, true))))
        .expects(&check(newer, "c9"));
}

#[test]
fn a_conflicting_count_under_a_claim_that_was_only_read_starts_over_from_the_claim() {
    let counted = rr(OLD, OTHER, "r1", 3);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Rr(counted.clone()))
        .on(&count(&counted, 4), ApiResult::Conflict)
        .expects(&ApiCall::GetClaim);
}

#[test]
fn a_lost_fence_is_repeated_if_the_claim_still_names_the_rr() {
    holding_the_claim()
        .after_ms(5000)
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .on(&fence(), ApiResult::Conflict)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c2", fields(OTHER, FRESH, false))))
        .expects(&check(FRESH, "c2"));
}

#[test]
fn a_lost_fence_on_the_rr_of_another_creator_starts_over_from_the_claim() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(OTHER, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Rr(rr(OLD, OTHER, "r1", 0)))
        .on(&update_claim("c1", fields("", OLD, true)), ApiResult::Conflict)
        .expects(&ApiCall::GetClaim);
}

/// A commit whose count from 7 to 10 has an unknown outcome.
fn with_unknown_count() -> Script {
    let known = rr(OLD, ME, "r4", 7);
    Script::begin_knowing(3, known.clone()).on(&count(&known, 10), ApiResult::Unknown)
}

#[test]
fn an_unknown_count_is_never_added_again() {
    let done = with_unknown_count().on(&get_rr(OLD), ApiResult::Rr(rr(OLD, ME, "r5", 10))).done();
    assert_eq!(done, CommitOutcome::Unresolved);
}

#[test]
fn an_unknown_count_is_not_acknowledged_because_the_number_is_high_enough() {
    let done = with_unknown_count().on(&get_rr(OLD), ApiResult::Rr(rr(OLD, ME, "r6", 12))).done();
    assert_eq!(done, CommitOutcome::Unresolved);
}

#[test]
fn an_unknown_count_whose_rr_is_gone_or_recreated_stays_unresolved() {
    let another = onceway_claim::Rr { uid: "u2".into(), ..rr(OLD, ME, "r9", 0) };
    for result in [ApiResult::Missing, ApiResult::Rr(another)] {
        assert_eq!(with_unknown_count().on(&get_rr(OLD), result).done(), CommitOutcome::Unresolved);
    }
}

#[test]
fn an_unknown_count_that_cannot_have_happened_is_committed_again() {
    with_unknown_count().on(&get_rr(OLD), ApiResult::Rr(rr(OLD, ME, "r5", 9))).expects(&ApiCall::GetClaim);
}

#[test]
fn an_unknown_count_is_repeated_identically_while_the_rr_is_unchanged() {
    let known = rr(OLD, ME, "r4", 7);
    let done = with_unknown_count()
        .on(&get_rr(OLD), ApiResult::Unknown)
        .on(&get_rr(OLD), ApiResult::Rr(known.clone()))
        .on(&count(&known, 10), ApiResult::Conflict)
        .on(&get_rr(OLD), ApiResult::Rr(known.clone()))
        .on(&count(&known, 10), ApiResult::Rr(rr(OLD, ME, "r5", 10)))
        .done();
    assert_eq!(done, CommitOutcome::Counted { rr: rr(OLD, ME, "r5", 10), created: false });
}

#[test]
fn a_conflicting_count_reads_the_phase_again() {
    let known = rr(OLD, ME, "r4", 7);
    Script::begin_knowing(1, known.clone())
        .on(&count(&known, 8), ApiResult::Conflict)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Rr(in_phase(rr(OLD, ME, "r5", 7), Phase::Terminal)))
        .on(&find(Some(OLD)), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, FRESH, false))));
}

#[test]
fn a_conflicting_count_under_a_claim_that_this_commit_wrote_reads_only_the_rr() {
    holding_the_claim()
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(late_rr()))
        .on(&count(&late_rr(), 1), ApiResult::Conflict)
        .expects(&check(FRESH, "c1"));
}

#[test]
fn a_known_rr_that_is_gone_starts_over_from_the_claim() {
    let known = rr(OLD, ME, "r4", 7);
    Script::begin_knowing(1, known.clone()).on(&count(&known, 8), ApiResult::Missing).expects(&ApiCall::GetClaim);
}

#[test]
fn a_result_for_a_finished_commit_counts_nothing() {
    let (mut commit, _) = onceway_claim::Commit::begin(
        std::sync::Arc::new(onceway_claim::Parameters {
            identity: ME.into(),
            name_prefix: "rr".into(),
            prompt_ms: 1,
            help_polls: 0,
            help_poll_ms: 1,
        }),
        std::num::NonZeroU32::MIN,
        onceway_claim::Known::Rr(rr(OLD, ME, "r4", 7)),
        onceway_claim::Now { unix_ms: 0, monotonic_ms: 0 },
    );
    let now = onceway_claim::Now { unix_ms: 0, monotonic_ms: 0 };
    commit.resume(ApiResult::Rr(rr(OLD, ME, "r5", 8)), now);
    let onceway_claim::Step::Done(done) = commit.resume(ApiResult::Rr(rr(OLD, ME, "r5", 8)), now) else {
        panic!("a finished commit continued");
    };
    assert_eq!(done, CommitOutcome::Unresolved);
}
