use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::Rig;
use crate::doubles::objects::{LEASES, RRS, claim, claim_path, list, rr};
use crate::doubles::wire::{Met, status};

const RR_REMOVED: &str = r#"gateway_housekeeping_removed_total{kind="remediationrequest"} 1"#;
const CLAIM_REMOVED: &str = r#"gateway_housekeeping_removed_total{kind="lease"} 1"#;

fn get_rr() -> String {
    format!("GET {RRS}/rr-1")
}

fn delete_rr() -> String {
    format!("DELETE {RRS}/rr-1")
}

fn get_claim() -> String {
    format!("GET {}", claim_path())
}

fn delete_claim() -> String {
    format!("DELETE {}", claim_path())
}

/// Longer ago than `housekeeping.sweepAfter`.
fn long_ago() -> Timestamp {
    Timestamp::now() - 24.hours()
}

#[tokio::test(start_paused = true)]
async fn an_uncounted_rr_that_no_claim_names_is_deleted_with_preconditions() {
    let rig = Rig::new();
    rig.indexed(&[rr("rr-1", 1, "", 0)]);
    rig.wire.on(&get_rr(), Met::Response(200, rr("rr-1", 1, "", 0))).on(&get_rr(), status(404, "NotFound"));
    rig.wire.on(&get_claim(), Met::Response(200, claim("rr-2", true, Timestamp::now(), "3")));
    rig.wire.on(&delete_rr(), Met::Response(200, json!({})));
    rig.collect_for(rig.config.housekeeping.reap_interval * 3).await;
    let deleted = rig.wire.made(&delete_rr());
    assert_eq!(deleted.len(), 1, "{:?}", rig.wire.lines());
    assert_eq!(deleted[0].body["preconditions"], json!({"uid": "uid-rr-1", "resourceVersion": "7"}));
    assert!(rig.shows(RR_REMOVED));
    assert_eq!(rig.wire.lines()[..2], [get_rr(), get_claim()], "the RR is read before its claim");
}

#[tokio::test(start_paused = true)]
async fn an_uncounted_rr_that_its_claim_names_or_whose_claim_cannot_be_read_stays() {
    let named = Met::Response(200, claim("rr-1", false, Timestamp::now(), "3"));
    for met in [named, status(403, "Forbidden"), Met::Break] {
        let rig = Rig::new();
        rig.indexed(&[rr("rr-1", 1, "", 0)]);
        rig.wire.on(&get_rr(), Met::Response(200, rr("rr-1", 1, "", 0))).on(&get_claim(), met);
        rig.collect_for(rig.config.housekeeping.reap_interval * 10).await;
        assert!(rig.wire.made(&get_claim()).len() > 1, "it is checked again");
        assert!(rig.wire.made(&delete_rr()).is_empty() && !rig.shows(RR_REMOVED));
    }
}

#[tokio::test(start_paused = true)]
async fn the_claim_of_a_deleted_rr_is_deleted_with_preconditions() {
    let rig = Rig::new();
    let claim = claim("rr-1", true, long_ago(), "3");
    let page = Met::Response(200, list([json!({"metadata": {"name": "another-lease"}})], "more"));
    rig.wire
        .on(&format!("GET {LEASES}"), page)
        .on(&format!("GET {LEASES}"), Met::Response(200, list([claim.clone()], "")));
    // The pauses vary: a second pass may follow within the time, and then finds it gone.
    rig.wire.on(&get_claim(), Met::Response(200, claim)).on(&get_claim(), status(404, "NotFound"));
    rig.wire.on(&delete_claim(), Met::Response(200, json!({})));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 8 / 5).await;
    let deleted = rig.wire.made(&delete_claim());
    assert_eq!(deleted[0].body["preconditions"], json!({"uid": "uid-claim", "resourceVersion": "3"}));
    assert!(rig.wire.made(&format!("GET {LEASES}"))[1].query.contains("continue=more"));
    assert!(rig.shows(CLAIM_REMOVED));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_used_recently_or_whose_rr_exists_stays() {
    let rig = Rig::new();
    let used = claim("rr-1", true, Timestamp::now(), "3");
    rig.wire.on(&format!("GET {LEASES}"), Met::Response(200, list([used], "")));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 2).await;
    assert!(rig.wire.made(&get_claim()).is_empty(), "not even read: {:?}", rig.wire.lines());

    let rig = Rig::new();
    let old = claim("rr-1", true, long_ago(), "3");
    rig.wire.on(&format!("GET {LEASES}"), Met::Response(200, list([old.clone()], "")));
    rig.wire.on(&get_claim(), Met::Response(200, old)).on(&get_rr(), Met::Response(200, rr("rr-1", 1, "Completed", 4)));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 2).await;
    assert!(!rig.wire.made(&get_rr()).is_empty() && rig.wire.made(&delete_claim()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_claim_of_an_rr_known_to_be_active_costs_no_call() {
    let rig = Rig::new();
    rig.indexed(&[rr("rr-1", 1, "Executing", 4)]);
    rig.wire.on(&format!("GET {LEASES}"), Met::Response(200, list([claim("rr-1", true, long_ago(), "3")], "")));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 2).await;
    assert!(rig.wire.made(&get_claim()).is_empty(), "{:?}", rig.wire.lines());
}

#[tokio::test(start_paused = true)]
async fn an_open_claim_without_an_rr_is_deleted_only_after_it_was_unchanged_for_long() {
    let rig = Rig::new();
    let (open, later) = (claim("rr-1", false, long_ago(), "3"), claim("rr-1", false, long_ago(), "4"));
    rig.wire.on(&format!("GET {LEASES}"), Met::Response(200, list([open.clone()], "")));
    // It changes between the first two reads.
    rig.wire.on(&get_claim(), Met::Response(200, open)).on(&get_claim(), Met::Response(200, later));
    rig.wire.on(&delete_claim(), Met::Response(200, json!({})));
    let settings = &rig.config.housekeeping;
    rig.collect_for(settings.sweep_after * 2 + settings.sweep_interval * 4).await;
    let (reads, deleted) = (rig.wire.made(&get_claim()), &rig.wire.made(&delete_claim())[0]);
    let seen_for = deleted.at - reads[1].at;
    assert!(seen_for >= settings.sweep_after, "only for {seen_for:?}");
    assert_eq!(deleted.body["preconditions"]["resourceVersion"], "4");
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_or_read_does_not_make_an_open_claim_younger() {
    const MINUTE: Duration = Duration::from_secs(60);
    let mut rig = Rig::new();
    rig.config.housekeeping.sweep_interval = MINUTE;
    let open = claim("rr-1", false, long_ago(), "3");
    let (leases, page) = (format!("GET {LEASES}"), Met::Response(200, list([open.clone()], "")));
    rig.wire.on(&leases, page.clone()).on(&get_claim(), Met::Response(200, open.clone()));
    for _ in 0..20 {
        rig.wire.on(&leases, status(410, "Expired")).on(&get_claim(), Met::Break);
    }
    rig.wire.on(&leases, page).on(&get_claim(), Met::Response(200, open));
    rig.wire.on(&delete_claim(), Met::Response(200, json!({})));
    let sweep_after = rig.config.housekeeping.sweep_after;
    rig.collect_for(sweep_after * 2).await;
    let age = rig.wire.made(&delete_claim())[0].at - rig.wire.made(&get_claim())[0].at;
    assert!((sweep_after..sweep_after + MINUTE * 3).contains(&age), "{age:?}");
}

#[tokio::test(start_paused = true)]
async fn all_claims_are_listed_before_the_first_is_read() {
    let rig = Rig::new();
    let (leases, old) = (format!("GET {LEASES}"), claim("rr-1", true, long_ago(), "3"));
    rig.wire.on(&leases, Met::Response(200, list([old], "more"))).on(&leases, Met::Response(200, list([], "")));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 2).await;
    assert_eq!(rig.wire.lines()[..3], [leases.clone(), leases.clone(), get_claim()]);
    let listed = rig.wire.made(&leases);
    assert_eq!(listed[0].at, listed[1].at, "a page's token expires within minutes; only reads are rate-limited");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_used_since_it_was_listed_stays() {
    let rig = Rig::new();
    let old = claim("rr-1", true, long_ago(), "3");
    rig.wire.on(&format!("GET {LEASES}"), Met::Response(200, list([old], "")));
    rig.wire.on(&get_claim(), Met::Response(200, claim("rr-2", true, Timestamp::now(), "4")));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 2).await;
    assert!(!rig.wire.made(&get_claim()).is_empty() && rig.wire.made(&delete_claim()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_ends_the_pass_and_the_next_pass_lists_again() {
    let rig = Rig::new();
    let old = claim("rr-1", true, long_ago(), "3");
    let leases = format!("GET {LEASES}");
    rig.wire
        .on(&leases, status(410, "Expired"))
        .on(&leases, Met::Break)
        .on(&leases, Met::Response(200, list([old.clone()], "")));
    rig.wire.on(&get_claim(), Met::Response(200, old)).on(&get_claim(), status(404, "NotFound"));
    rig.wire.on(&delete_claim(), Met::Response(200, json!({})));
    rig.collect_for(rig.config.housekeeping.sweep_interval * 6).await;
    assert_eq!(rig.wire.made(&delete_claim()).len(), 1);
    assert!(rig.shows(CLAIM_REMOVED));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_could_not_decide_about_any_claim_is_none() {
    let old = claim("rr-1", true, long_ago(), "3");
    let listed = || Met::Response(200, list([old.clone()], ""));
    for (leases, read, counts) in [
        (status(403, "Forbidden"), Met::Break, false),
        (listed(), Met::Break, false),
        (listed(), status(404, "NotFound"), true),
        (Met::Response(200, list([], "")), Met::Break, true),
    ] {
        let rig = Rig::new();
        let collected = || {
            let text = rig.metrics.render().unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("gateway_claims_collected_timestamp_seconds "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let began = collected();
        assert!(began > 1.7e9, "a replica begins with the time at which it began");
        rig.wire.on(&format!("GET {LEASES}"), leases).on(&get_claim(), read);
        rig.collect_for(rig.config.housekeeping.sweep_interval * 8 / 5).await;
        assert!(!rig.wire.made(&format!("GET {LEASES}")).is_empty());
        assert_eq!(collected() > began, counts, "{:?}", rig.wire.lines());
    }
}
