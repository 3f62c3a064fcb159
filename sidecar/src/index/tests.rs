use futures::FutureExt;
use onceway_signal::Fingerprint;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, advance, timeout};

use super::observed::Observed;
use super::{Index, Lookup};

fn fingerprint() -> Fingerprint {
    "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1".parse().unwrap()
}

fn object(name: &str, second: u32, phase: &str, count: u32) -> Value {
    json!({
        "apiVersion": "kubernaut.ai/v1alpha1",
        "kind": "RemediationRequest",
        "metadata": {
            "name": name, "uid": format!("uid-{name}"), "resourceVersion": "7",
            "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            "annotations": {"onceway.io/creator": "pod_1"},
            "managedFields": [{"manager": "x"}],
        },
        "spec": {"signalFingerprint": fingerprint().to_string(), "originalPayload": "{}"},
        "status": {"overallPhase": phase, "deduplication": {"occurrenceCount": count}, "unknown": [1]},
    })
}

fn rr(name: &str, second: u32, phase: &str, count: u32) -> Observed {
    serde_json::from_value(object(name, second, phase, count)).unwrap()
}

fn in_sync() -> Index {
    let index = Index::default();
    index.begin_list();
    index.end_list();
    index
}

fn active(index: &Index) -> Vec<String> {
    match index.lookup(fingerprint()) {
        Lookup::Active(names) => names.iter().map(|name| name.to_string()).collect(),
        Lookup::NotInSync => panic!("not in sync"),
    }
}

#[test]
fn a_lookup_is_not_in_sync_before_the_first_list_is_complete() {
    let index = Index::default();
    assert_eq!(index.lookup(fingerprint()), Lookup::NotInSync);
    index.begin_list();
    index.list(&rr("a", 1, "Executing", 1));
    assert_eq!(index.lookup(fingerprint()), Lookup::NotInSync);
    index.end_list();
    assert_eq!(active(&index), ["a"]);
}

#[test]
fn active_rrs_are_kept_and_terminal_or_deleted_ones_removed() {
    let index = in_sync();
    for phase in ["", "Pending", "Executing", "Blocked", "Unheard-of"] {
        index.apply(&rr("a", 1, phase, 1));
        assert_eq!(active(&index), ["a"], "{phase}");
    }
    for phase in ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"] {
        index.apply(&rr("a", 1, "Executing", 1));
        index.apply(&rr("a", 1, phase, 1));
        assert!(active(&index).is_empty(), "{phase}");
    }
    index.apply(&rr("a", 1, "Executing", 1));
    index.remove(&rr("a", 1, "Executing", 1));
    assert!(active(&index).is_empty());
    assert_eq!(index.size(), (0, true));
}

#[test]
fn the_last_rr_seen_to_become_inactive_is_remembered_until_it_is_active_again() {
    let index = in_sync();
    index.apply(&rr("a", 1, "Executing", 1));
    assert!(!index.is_known_inactive(fingerprint(), "a"));
    index.apply(&rr("a", 1, "Completed", 1));
    assert!(index.is_known_inactive(fingerprint(), "a") && !index.is_known_inactive(fingerprint(), "b"));
    index.apply(&rr("b", 2, "Executing", 1));
    // Retention.
    index.remove(&rr("a", 1, "Completed", 1));
    index.remove(&rr("b", 2, "Executing", 1));
    assert!(index.is_known_inactive(fingerprint(), "b"));
    index.apply(&rr("b", 3, "", 0));
    assert!(!index.is_known_inactive(fingerprint(), "b"));
}

/// An RR that was created under this version of its claim.
fn under(version: &str, name: &str, phase: &str) -> Observed {
    let mut object = object(name, 1, phase, 1);
    object["metadata"]["annotations"]["onceway.io/claim-version"] = json!(version);
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_rr_stays_known_in_every_phase_and_once_it_is_deleted_for_the_version_that_it_was_created_under_alone() {
    let index = in_sync();
    let knows = |name, version| index.has_seen(fingerprint(), name, version);
    assert!(!knows("a", "7"));
    index.apply(&under("7", "a", "Executing"));
    assert!(knows("a", "7") && !knows("a", "8") && !knows("b", "7"));
    index.apply(&under("7", "a", "Completed"));
    assert!(knows("a", "7"));
    index.remove(&under("7", "a", "Completed"));
    assert!(knows("a", "7") && !knows("a", "8"));
    index.apply(&rr("b", 2, "Executing", 1));
    assert!(!knows("b", "7") && !knows("b", ""), "it names no version");
}

#[test]
fn an_incident_is_new_until_an_rr_of_it_is_seen_even_one_that_had_ended_before_this_replica_began() {
    let index = Index::default();
    assert!(!index.is_new(fingerprint()), "not in sync");
    index.begin_list();
    index.end_list();
    assert!(index.is_new(fingerprint()));
    index.begin_list();
    index.list(&under("7", "a", "Completed"));
    index.end_list();
    assert!(!index.is_new(fingerprint()) && index.has_seen(fingerprint(), "a", "7"));
    assert!(index.is_known_inactive(fingerprint(), "a"));
}

#[test]
fn an_rr_that_is_being_deleted_is_not_active() {
    let mut deleting = object("a", 1, "Executing", 1);
    deleting["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:09Z");
    let index = in_sync();
    index.apply(&rr("a", 1, "Executing", 1));
    index.apply(&serde_json::from_value(deleting).unwrap());
    assert!(active(&index).is_empty());
}

#[test]
fn an_object_without_a_valid_fingerprint_is_ignored() {
    let mut odd = object("odd", 1, "", 0);
    odd["spec"] = json!({"signalFingerprint": "none"});
    let odd: Observed = serde_json::from_value(odd).unwrap();
    let index = in_sync();
    index.apply(&odd);
    index.remove(&odd);
    assert_eq!(index.size(), (0, true));
}

#[tokio::test]
async fn duplicates_notify_at_once_and_are_sorted_by_age() {
    let index = in_sync();
    index.apply(&rr("younger", 9, "", 1));
    assert!(index.duplicates().is_empty());
    index.apply(&rr("older", 3, "", 1));
    timeout(Duration::from_secs(5), index.duplicated()).await.unwrap();
    let found = index.duplicates();
    let names: Vec<&str> = found[0].1.iter().map(|known| &*known.name).collect();
    assert_eq!((found.len(), found[0].0, names), (1, fingerprint(), vec!["older", "younger"]));
    index.apply(&rr("older", 3, "Executing", 2));
    assert!(index.duplicated().now_or_never().is_none(), "a changed RR is not another one");
    index.apply(&rr("older", 3, "Completed", 1));
    assert!(index.duplicates().is_empty());
}

#[tokio::test]
async fn duplicates_in_a_list_notify_too() {
    let index = Index::default();
    index.begin_list();
    index.list(&rr("a", 1, "", 1));
    index.list(&rr("b", 1, "", 1));
    index.end_list();
    timeout(Duration::from_secs(5), index.duplicated()).await.unwrap();
    assert_eq!(index.duplicates().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_rr_of_a_sidecar_is_late_once_it_has_been_without_a_count_for_long() {
    let index = in_sync();
    index.apply(&rr("late", 1, "", 0));
    assert!(index.uncounted_since(Instant::now() - Duration::from_secs(10)).is_empty());
    advance(Duration::from_secs(11)).await;
    // Neither another event nor another list makes it younger.
    index.apply(&rr("late", 1, "Pending", 0));
    index.begin_list();
    index.list(&rr("late", 1, "Pending", 0));
    index.end_list();
    let late = index.uncounted_since(Instant::now() - Duration::from_secs(10));
    assert_eq!(late, [(fingerprint(), "late".into())]);
    index.apply(&rr("late", 1, "Pending", 1));
    assert!(index.uncounted_since(Instant::now()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_rr_of_another_creator_is_never_late() {
    let mut foreign = object("foreign", 1, "", 0);
    foreign["metadata"]["annotations"] = json!({});
    let index = in_sync();
    index.apply(&serde_json::from_value(foreign).unwrap());
    advance(Duration::from_secs(60)).await;
    assert!(index.uncounted_since(Instant::now()).is_empty());
    assert_eq!(active(&index), ["foreign"]);
}

#[test]
fn a_failed_watch_loses_sync_until_another_has_started() {
    let index = in_sync();
    index.apply(&rr("a", 1, "", 1));
    index.lose_sync();
    assert_eq!(index.lookup(fingerprint()), Lookup::NotInSync);
    index.regain_sync();
    assert_eq!(active(&index), ["a"]);
    assert!(index.is_active(fingerprint(), "a") && !index.is_active(fingerprint(), "b"));
}

#[test]
fn an_incident_with_one_rr_allocates_room_for_one() {
    let index = in_sync();
    for count in 0..3 {
        index.apply(&rr("rr-1", 1, "Pending", count));
    }
    assert_eq!(index.table().incidents.room(fingerprint()), 1);
}

#[test]
fn the_active_rrs_of_each_namespace_are_counted_once_through_all_changes() {
    let index = in_sync();
    let of = |name: &str, phase: &str, target: Value| -> Observed {
        let mut object = object(name, 1, phase, 1);
        object["spec"]["targetResource"] = target;
        serde_json::from_value(object).unwrap()
    };
    let pod = json!({"kind": "Pod", "name": "p", "namespace": "prod"});
    let counts = |index: &Index| ["prod", "test", ""].map(|namespace| index.active_in(namespace));
    index.apply(&of("a", "", pod.clone()));
    index.apply(&of("a", "Executing", pod.clone()));
    index.apply(&of("b", "", json!({"kind": "Namespace", "name": "test"})));
    index.apply(&of("c", "", json!({"kind": "Node", "name": "n"})));
    index.apply(&of("d", "", json!(["malformed"])));
    assert_eq!(counts(&index), [1, 1, 2]);
    index.apply(&of("a", "Completed", pod.clone()));
    index.remove(&of("b", "", json!({"kind": "Namespace", "name": "test"})));
    assert_eq!(counts(&index), [0, 0, 2]);
    index.begin_list();
    index.list(&of("a", "", pod));
    index.end_list();
    assert_eq!(counts(&index), [1, 0, 0]);
}
