//! Counting in an RR that somebody else created, instead of creating another.

use onceway_claim::{ApiCall, ApiResult, ClaimFields, Phase, Rr};

use super::script::{
    CLOCK_S, FRESH, ME, OLD, OTHER, Script, check, claim, count, fields, find, in_phase, rr, update_claim,
};

const FOREIGN: &str = "created-by-hand";

fn foreign(version: &str, count: u32) -> Rr {
    rr(FOREIGN, "", version, count)
}

/// A claim on the foreign RR: it is known to exist, so the claim has no holder, and once deleted it is not recreated.
fn adopting(floor: u64) -> ClaimFields {
    ClaimFields { intent: FOREIGN.into(), floor, ..fields("", OLD, true) }
}

#[test]
fn an_active_rr_of_a_fingerprint_without_a_claim_is_counted_in_instead_of_creating_one() {
    let done = Script::begin(2)
        .on(&ApiCall::GetClaim, ApiResult::Missing)
        .on(&find(None), ApiResult::Rr(foreign("r1", 3)))
        .on(&ApiCall::CreateClaim(adopting(CLOCK_S)), ApiResult::Claim(claim("c1", adopting(CLOCK_S))))
        .on(&check(FOREIGN, "c1"), ApiResult::Rr(foreign("r1", 3)))
        .on(&count(&foreign("r1", 3), 5), ApiResult::Rr(foreign("r2", 5)))
        .done();
    assert!(matches!(done, onceway_claim::CommitOutcome::Counted { created: false, .. }));
}

#[test]
fn an_active_rr_that_a_new_incident_has_is_counted_in_without_a_read_of_the_claim() {
    Script::begin_new(2)
        .on(&find(None), ApiResult::Rr(foreign("r1", 3)))
        .expects(&ApiCall::CreateClaim(adopting(CLOCK_S)));
}

#[test]
fn an_active_rr_created_by_others_follows_a_terminal_one_of_a_sidecar() {
    let before = fields("", OLD, true);
    let after = ClaimFields { floor: before.floor, ..adopting(0) };
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Claim(claim("c1", before)))
        .on(&check(OLD, "c1"), ApiResult::Rr(in_phase(rr(OLD, OTHER, "r9", 3), Phase::Terminal)))
        .on(&find(Some(OLD)), ApiResult::Rr(foreign("r1", 1)))
        .on(&update_claim("c1", after.clone()), ApiResult::Claim(claim("c2", after)))
        .on(&check(FOREIGN, "c2"), ApiResult::Rr(foreign("r1", 1)))
        .expects(&count(&foreign("r1", 1), 2));
}

#[test]
fn an_adopted_rr_without_a_count_is_confirmed_before_it_is_counted_in() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Missing)
        .on(&find(None), ApiResult::Rr(foreign("r1", 0)))
        .on(&ApiCall::CreateClaim(adopting(CLOCK_S)), ApiResult::Claim(claim("c1", adopting(CLOCK_S))))
        .on(&check(FOREIGN, "c1"), ApiResult::Rr(foreign("r1", 0)))
        .expects(&update_claim("c1", adopting(CLOCK_S)));
}

#[test]
fn an_adoption_whose_claim_write_failed_starts_over() {
    for result in [ApiResult::Unknown, ApiResult::Conflict, ApiResult::Missing] {
        Script::begin(1)
            .on(&ApiCall::GetClaim, ApiResult::Missing)
            .on(&find(None), ApiResult::Rr(foreign("r1", 1)))
            .on(&ApiCall::CreateClaim(adopting(CLOCK_S)), result)
            .expects(&ApiCall::GetClaim);
    }
}

#[test]
fn a_search_with_an_unknown_result_is_repeated_and_never_read_as_none() {
    Script::begin(1)
        .on(&ApiCall::GetClaim, ApiResult::Missing)
        .on(&find(None), ApiResult::Unknown)
        .on(&find(None), ApiResult::Missing)
        .expects(&ApiCall::CreateClaim(fields(ME, FRESH, false)));
}

#[test]
fn an_rr_that_is_terminal_or_of_another_fingerprint_is_not_adopted() {
    let terminal = in_phase(foreign("r1", 1), Phase::Terminal);
    let others = Rr { fingerprint_matches: false, ..foreign("r1", 1) };
    for found in [terminal, others] {
        Script::begin(1)
            .on(&ApiCall::GetClaim, ApiResult::Missing)
            .on(&find(None), ApiResult::Rr(found))
            .expects(&ApiCall::CreateClaim(fields(ME, FRESH, false)));
    }
}
