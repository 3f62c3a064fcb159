//! The normal paths, call by call: the number of calls of each is part of the contract.

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Phase};

use super::script::{
    CLOCK_S, FRESH, ME, OLD, OTHER, Script, check, claim, count, create_rr, fields, find, in_phase, rr, transferred,
    update_claim,
};

#[test]
fn a_first_incident_costs_three_writes_and_no_read() {
    let mine = fields(ME, FRESH, false);
    let done = Script::begin_new(5)
        .on(&find(None), ApiResult::Missing)
        .on(&ApiCall::CreateClaim(mine.clone()), ApiResult::Claim(claim("c1", mine.clone())))
        .on(&create_rr(FRESH, "c1"), ApiResult::Rr(rr(FRESH, ME, "r1", 0)))
        .on(&count(&rr(FRESH, ME, "r1", 0), 5), ApiResult::Rr(rr(FRESH, ME, "r2", 5)))
        .done();
    assert_eq!(done, CommitOutcome::Counted { rr: rr(FRESH, ME, "r2", 5), created: true });
}

#[test]
fn a_first_incident_at_a_replica_that_cannot_tell_costs_one_read_more() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Missing)
        .on(&find(None), ApiResult::Missing)
        .expects(&ApiCall::CreateClaim(fields(ME, FRESH, false)));
}

#[test]
fn an_incident_that_is_new_to_this_replica_alone_costs_one_write_more_than_if_it_had_read_first() {
    let seen = rr(OLD, OTHER, "r4", 7);
    Script::begin_new(1)
        .on(&find(None), ApiResult::Missing)
        .on(&ApiCall::CreateClaim(fields(ME, FRESH, false)), ApiResult::Conflict)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(OTHER, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Rr(seen.clone()))
        .expects(&count(&seen, 8));
}

#[test]
fn a_recurring_incident_costs_two_reads_and_three_writes_and_a_later_name() {
    let terminal = in_phase(rr(OLD, OTHER, "r9", 3), Phase::Terminal);
    let mine = transferred(fields(ME, FRESH, false));
    let done = Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Rr(terminal))
        .on(&find(Some(OLD)), ApiResult::Missing)
        .on(&update_claim("c1", mine.clone()), ApiResult::Claim(claim("c2", mine)))
        .on(&create_rr(FRESH, "c2"), ApiResult::Rr(rr(FRESH, ME, "r1", 0)))
        .on(&count(&rr(FRESH, ME, "r1", 0), 1), ApiResult::Rr(rr(FRESH, ME, "r2", 1)))
        .done();
    assert!(matches!(done, CommitOutcome::Counted { created: true, .. }));
}

#[test]
fn a_duplicate_at_the_replica_that_knows_its_rr_costs_one_write() {
    let known = rr(OLD, ME, "r4", 7);
    let done =
        Script::begin_knowing(3, known.clone()).on(&count(&known, 10), ApiResult::Rr(rr(OLD, ME, "r5", 10))).done();
    assert_eq!(done, CommitOutcome::Counted { rr: rr(OLD, ME, "r5", 10), created: false });
}

#[test]
fn a_duplicate_at_another_replica_costs_two_reads_and_one_write() {
    let seen = rr(OLD, OTHER, "r4", 7);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Rr(seen.clone()))
        .on(&count(&seen, 8), ApiResult::Rr(rr(OLD, OTHER, "r5", 8)))
        .done();
}

#[test]
fn a_known_rr_that_is_terminal_is_not_counted_in() {
    let terminal = in_phase(rr(OLD, ME, "r4", 7), Phase::Terminal);
    Script::begin_knowing(1, terminal).expects(&ApiCall::GetClaim);
}

#[test]
fn a_new_name_is_later_than_every_earlier_one_even_if_the_clock_is_not() {
    let future = format!("rr-abc-{}", CLOCK_S + 50);
    let later = format!("rr-abc-{}", CLOCK_S + 51);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", &future, true))))
        .on(&check(&future, "c1"), ApiResult::Rr(in_phase(rr(&future, OTHER, "r1", 1), Phase::Terminal)))
        .on(&find(Some("rr-abc-1050")), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, &later, false))));
}

#[test]
fn manual_review_takes_signals_and_creates_no_new_rr() {
    let reviewed = in_phase(rr(OLD, OTHER, "r1", 1), Phase::ManualReview);
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Rr(reviewed.clone()))
        .expects(&count(&reviewed, 2));
}

#[test]
fn a_block_holds_until_its_time_and_not_at_it() {
    let look = |allowed_ms| {
        Script::begin(1)
            .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
            .on(&check(OLD, "c1"), ApiResult::Rr(in_phase(rr(OLD, OTHER, "r1", 1), Phase::NotBefore(allowed_ms))))
    };
    let blocked = in_phase(rr(OLD, OTHER, "r1", 1), Phase::NotBefore(CLOCK_S * 1000 + 1));
    look(CLOCK_S * 1000 + 1).expects(&count(&blocked, 2));
    look(CLOCK_S * 1000).expects(&find(Some(OLD)));
}

#[test]
fn a_name_that_another_fingerprint_uses_is_skipped() {
    let foreign = onceway_claim::Rr { fingerprint_matches: false, ..rr(OLD, OTHER, "r1", 4) };
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Rr(foreign))
        .on(&find(Some(OLD)), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, FRESH, false))));
}

#[test]
fn a_deleted_rr_is_followed_by_a_new_one() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, true))))
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .on(&find(Some(OLD)), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, FRESH, false))));
}

#[test]
fn an_rr_that_this_process_knows_to_be_deleted_is_followed_by_a_new_one_though_its_claim_is_open() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(OTHER, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Gone)
        .on(&find(Some(OLD)), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, FRESH, false))));
}

#[test]
fn another_holder_is_waited_for_and_then_its_claim_is_finished_under_the_same_name() {
    let open = fields(OTHER, OLD, false);
    let mine = transferred(fields(ME, OLD, false));
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", open)))
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .on_wait()
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .on_wait()
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .on(&update_claim("c1", mine.clone()), ApiResult::Claim(claim("c2", mine)))
        .expects(&create_rr(OLD, "c2"));
}

#[test]
fn an_open_claim_held_by_this_process_or_by_none_is_taken_over_at_once() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields(ME, OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .expects(&update_claim("c1", fields(ME, OLD, false)));
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", fields("", OLD, false))))
        .on(&check(OLD, "c1"), ApiResult::Missing)
        .expects(&update_claim("c1", transferred(fields(ME, OLD, false))));
}

#[test]
fn a_count_at_the_int32_limit_stays_there() {
    let limit = u32::try_from(i32::MAX).unwrap();
    let near_limit = rr(OLD, ME, "r4", limit - 1);
    Script::begin_knowing(5, near_limit.clone()).expects(&count(&near_limit, limit));
}
