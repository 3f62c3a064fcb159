use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::Rig;
use crate::config::Duplicates;
use crate::doubles::objects::{EVENTS, RRS, rr};
use crate::doubles::wire::{Met, status};

/// Less than the minimum pause between two passes.
const ONE_PASS: Duration = Duration::from_millis(10);

/// Two RRs that are active in the index, and their phases on the API server.
fn two(rig: &Rig, phases: [&str; 2]) {
    rig.indexed(&[rr("rr-1", 1, "", 1), rr("rr-2", 2, "", 1)]);
    for (n, phase) in phases.into_iter().enumerate() {
        let name = format!("rr-{}", n + 1);
        rig.wire.on(&format!("GET {RRS}/{name}"), Met::Response(200, rr(&name, n as u32 + 1, phase, 1)));
    }
}

fn patch() -> String {
    format!("PATCH {RRS}/rr-2/status")
}

#[tokio::test(start_paused = true)]
async fn a_younger_active_rr_is_reported_once_by_an_event_that_names_both() {
    let rig = Rig::new();
    two(&rig, ["Executing", "Executing"]);
    rig.wire.on(&format!("POST {EVENTS}"), Met::Response(201, json!({})));
    rig.collect_for(rig.config.housekeeping.reap_interval * 10).await;
    let events = rig.wire.made(&format!("POST {EVENTS}"));
    assert_eq!(events.len(), 1, "{:?}", rig.wire.lines());
    let event = &events[0].body;
    assert_eq!(event["metadata"]["name"], "onceway-duplicate-uid-rr-2", "the same in every replica");
    assert_eq!((&event["type"], &event["involvedObject"]["name"]), (&json!("Warning"), &json!("rr-2")));
    let message = event["message"].as_str().unwrap();
    assert!(message.contains("rr-1 is the older one and stays"), "{message}");
    assert!(rig.shows("gateway_duplicate_crds_detected_total 1\n"));
    assert!(rig.wire.made(&patch()).is_empty(), "nothing is patched while duplicates are only reported");
    assert_eq!(rig.wire.lines().len(), 3, "a reported duplicate is not read again: {:?}", rig.wire.lines());
}

#[tokio::test(start_paused = true)]
async fn duplicates_that_keep_appearing_are_checked_once_a_second() {
    let rig = Rig::new();
    two(&rig, ["Executing", "Executing"]);
    // Every report fails, so that no duplicate is handled.
    let appearing = async {
        loop {
            rig.indexed(&[rr("rr-3", 3, "", 1)]);
            sleep(ONE_PASS).await;
            rig.indexed(&[rr("rr-3", 3, "Completed", 1)]);
        }
    };
    tokio::select! {
        () = rig.collect_for(Duration::from_secs(10)) => {}
        () = appearing => {}
    }
    let passes = rig.wire.made(&format!("GET {RRS}/rr-1")).len();
    assert!((9..=11).contains(&passes), "{passes} passes in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_possible_late_create_is_no_duplicate() {
    let rig = Rig::with_duplicates(Duplicates::Skip);
    rig.wire.on(&format!("GET {RRS}/rr-1"), Met::Response(200, rr("rr-1", 1, "", 0)));
    two(&rig, ["", "Pending"]);
    rig.collect_for(ONE_PASS).await;
    assert_eq!(rig.wire.lines().len(), 2, "neither is a duplicate: {:?}", rig.wire.lines());
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_proves_nothing_and_is_retried() {
    for failing in [status(500, "InternalError"), status(404, "PageNotFound"), Met::Break] {
        let rig = Rig::with_duplicates(Duplicates::Skip);
        rig.wire.on(&format!("GET {RRS}/rr-1"), failing);
        two(&rig, ["Executing", "Pending"]);
        rig.indexed(&[rr("rr-3", 3, "", 1)]);
        rig.wire.on(&format!("GET {RRS}/rr-3"), Met::Response(200, rr("rr-3", 3, "Executing", 1)));
        rig.wire.on(&format!("POST {EVENTS}"), Met::Response(201, json!({})));
        rig.collect_for(ONE_PASS).await;
        assert_eq!(rig.wire.lines().len(), 1, "rr-2 may not be the oldest: {:?}", rig.wire.lines());
        rig.collect_for(ONE_PASS).await;
        let message = rig.wire.made(&format!("POST {EVENTS}"))[0].body["message"].to_string();
        assert!(message.contains("rr-1 is the older one"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_reported_by_another_replica_is_not_counted_again() {
    let rig = Rig::new();
    two(&rig, ["Executing", "Executing"]);
    rig.wire.on(&format!("POST {EVENTS}"), status(409, "AlreadyExists"));
    rig.collect_for(ONE_PASS).await;
    assert!(rig.shows("gateway_duplicate_crds_detected_total 0\n"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_report_is_retried() {
    let rig = Rig::new();
    two(&rig, ["Executing", "Executing"]);
    let post = format!("POST {EVENTS}");
    rig.wire.on(&post, Met::Break).on(&post, status(500, "InternalError")).on(&post, Met::Response(201, json!({})));
    rig.collect_for(rig.config.housekeeping.reap_interval * 10).await;
    assert_eq!(rig.wire.made(&post).len(), 3);
    assert!(rig.shows("gateway_duplicate_crds_detected_total 1\n"));
}

#[tokio::test(start_paused = true)]
async fn an_rr_that_has_become_terminal_or_deleted_is_no_duplicate() {
    let rig = Rig::with_duplicates(Duplicates::Skip);
    two(&rig, ["Completed", "Pending"]);
    // The index has a third one, which is deleted.
    rig.indexed(&[rr("rr-3", 3, "", 1)]);
    rig.collect_for(ONE_PASS).await;
    assert!(rig.wire.lines().iter().all(|line| line.starts_with("GET ")), "{:?}", rig.wire.lines());
}

#[tokio::test(start_paused = true)]
async fn an_unstarted_younger_rr_is_skipped_by_compare_and_swap() {
    let rig = Rig::with_duplicates(Duplicates::Skip);
    two(&rig, ["Executing", "Pending"]);
    rig.wire.on(&format!("GET {RRS}/rr-2"), Met::Response(200, rr("rr-2", 2, "Skipped", 1)));
    rig.wire.on(&format!("POST {EVENTS}"), Met::Response(201, json!({}))).on(&patch(), Met::Response(200, json!({})));
    rig.collect_for(ONE_PASS).await;
    let patches = rig.wire.made(&patch());
    assert_eq!(patches.len(), 1);
    let expected = json!({
        "metadata": {"resourceVersion": "7", "uid": "uid-rr-2"},
        "status": {"overallPhase": "Skipped", "routingStatus": {"duplicateOf": "rr-1"}},
    });
    assert_eq!(patches[0].body, expected);
}

#[tokio::test(start_paused = true)]
async fn a_started_younger_rr_is_not_skipped() {
    let rig = Rig::with_duplicates(Duplicates::Skip);
    two(&rig, ["Pending", "Analyzing"]);
    rig.wire.on(&format!("POST {EVENTS}"), Met::Response(201, json!({})));
    rig.collect_for(ONE_PASS).await;
    assert!(rig.wire.made(&patch()).is_empty() && rig.shows("gateway_duplicate_crds_detected_total 1\n"));
}
