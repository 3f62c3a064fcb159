use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

use super::{DeduplicatedSignal, MAX_NAMES_BYTES, MAX_SEVERITY_BYTES, MAX_SIGNAL_NAMES, OTHERS, SignalList};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn list(signals: &[(&str, &str, i64)]) -> SignalList {
    let mut list = SignalList::default();
    signals.iter().for_each(|(name, severity, second)| list.add(name, severity, at(*second)));
    list
}

/// The entries as (name, count, severity, last second).
fn entries(list: &SignalList) -> Vec<(&str, u32, &str, u64)> {
    list.0.iter().map(|seen| (&*seen.name, seen.count, &*seen.severity, seen.last_seen_ms / 1000)).collect()
}

fn name(n: usize) -> String {
    format!("Alert{n}")
}

fn stored(name: &str, count: i32) -> DeduplicatedSignal {
    DeduplicatedSignal { name: name.into(), count, severity: "warning".into(), last_seen_at: Time(at(7)) }
}

#[test]
fn signals_of_one_name_are_one_entry_with_the_highest_severity_and_the_latest_time() {
    let signals = [("Down", "warning", 5), ("Slow", "info", 6), ("Down", "critical", 4), ("Down", "info", 7)];
    assert_eq!(entries(&list(&signals)), [("Down", 3, "critical", 7), ("Slow", 1, "info", 6)]);
}

#[test]
fn of_equal_severities_the_first_is_kept() {
    let signals = [("Down", "page", 1), ("Down", "critical", 2), ("Slow", "P1", 1), ("Slow", "sev-1", 2)];
    assert_eq!(entries(&list(&signals)), [("Down", 2, "page", 2), ("Slow", 2, "P1", 2)]);
}

#[test]
fn names_beyond_the_limit_are_one_entry() {
    let mut full = SignalList::default();
    (0..MAX_SIGNAL_NAMES).for_each(|n| full.add(&name(n), "info", at(1)));
    assert_eq!(full.stored().len(), MAX_SIGNAL_NAMES);
    full.add("Further", "warning", at(2));
    full.add("Another", "critical", at(3));
    full.add(&name(0), "info", at(4));
    assert_eq!(full.stored().len(), MAX_SIGNAL_NAMES + 1);
    assert_eq!(entries(&full).last(), Some(&(OTHERS, 2, "critical", 3)));
    assert_eq!(entries(&full)[0], ("Alert0", 2, "info", 4), "a listed name keeps its entry");
}

#[test]
fn a_signal_named_as_the_entry_for_further_names_takes_no_place_of_a_name() {
    let mut list = list(&[(OTHERS, "info", 1)]);
    (0..=MAX_SIGNAL_NAMES).for_each(|n| list.add(&name(n), "info", at(1)));
    assert_eq!(list.stored().len(), MAX_SIGNAL_NAMES + 1);
    assert_eq!(entries(&list)[0], (OTHERS, 2, "info", 1));
}

#[test]
fn names_that_are_too_long_together_are_counted_as_further_ones() {
    // The longest names that a decoder accepts: 253 characters of 4 bytes.
    let longest = |letter: &str| letter.repeat(253);
    let names = ["🔥", "🧯", "🚒"].map(longest);
    let mut list = SignalList::default();
    names.iter().for_each(|name| list.add(name, "info", at(1)));
    list.add("Short", "info", at(1));
    let listed: Vec<&str> = entries(&list).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(listed, [&names[0], &names[1], OTHERS, "Short"]);
    let bytes: usize = list.0.iter().map(|seen| seen.name.len()).sum();
    assert!(bytes <= MAX_NAMES_BYTES + OTHERS.len(), "{bytes}");
}

#[test]
fn a_severity_that_is_too_long_is_truncated() {
    let list = list(&[("Down", &"é".repeat(50), 1)]);
    assert_eq!(list.0[0].severity.len(), MAX_SEVERITY_BYTES);
}

#[test]
fn a_stored_list_is_read_as_it_was_written() {
    let written = list(&[("Down", "warning", 5), ("Slow", "info", 6), ("Down", "critical", 4)]);
    assert_eq!(SignalList::of_stored(&written.stored(), 3), written);
    assert_eq!(SignalList::of_stored(&written.stored(), 9), written, "others have counted, too");
}

#[test]
fn a_stored_list_that_is_none_of_ours_is_read_as_empty() {
    let long = "é".repeat(254);
    for (signals, counted) in [
        (vec![stored("Down", 2), stored("Slow", 2)], 3),
        (vec![stored("Down", i32::MAX), stored("Slow", i32::MAX)], 3),
        (vec![stored("Down", i32::MAX), stored("Down", i32::MAX), stored("Down", i32::MAX)], 3),
        (vec![stored("Down", 0)], 3),
        (vec![stored("Down", -1), stored("Slow", 2)], 3),
        (vec![stored("", 1)], 3),
        (vec![stored(&long, 1)], 3),
    ] {
        assert_eq!(SignalList::of_stored(&signals, counted), SignalList::default(), "{signals:?}");
    }
}

#[test]
fn a_stored_list_that_exceeds_the_bounds_is_read_within_them() {
    let signals: Vec<_> = (0..50).map(|n| stored(&name(n), 2)).chain([stored("Alert0", 1)]).collect();
    let list = SignalList::of_stored(&signals, 101);
    assert_eq!((list.stored().len(), list.total()), (MAX_SIGNAL_NAMES + 1, 101));
}

/// A signal of one of some 60 names, [`OTHERS`] and long ones among them.
fn signal() -> impl Strategy<Value = (String, &'static str, i64)> {
    let names = prop_oneof![
        40 => (0..50_usize).prop_map(name),
        1 => (0..10_usize).prop_map(|n| format!("{n}{}", "é".repeat(252))),
        1 => Just(OTHERS.to_owned()),
    ];
    (names, select(&["critical", "warning", "none", "P3"]), 0..1000_i64)
}

proptest! {
    #[test]
    fn any_batches_in_any_order_leave_a_bounded_list_that_adds_up(batches in vec(vec(signal(), 1..60), 1..12)) {
        let (mut rr, mut counted) = (SignalList::default(), 0_u32);
        for batch in &batches {
            let mut of_batch = SignalList::default();
            batch.iter().for_each(|(name, severity, second)| of_batch.add(name, severity, at(*second)));
            prop_assert_eq!(of_batch.total(), batch.len() as u64);
            // As the next count reads what the previous one wrote.
            rr = SignalList::of_stored(&rr.stored(), counted);
            rr.merge(&of_batch);
            counted += u32::try_from(batch.len()).unwrap();
            prop_assert_eq!(rr.total(), u64::from(counted));
            prop_assert!(rr.stored().len() <= MAX_SIGNAL_NAMES + 1);
        }
        let latest = batches.iter().flatten().map(|(_, _, second)| *second).max().unwrap();
        let listed = rr.0.iter().map(|seen| seen.last_seen_ms).max();
        prop_assert_eq!(listed, u64::try_from(latest * 1000).ok());
        let names: BTreeSet<&str> = batches.iter().flatten().map(|(name, ..)| name.as_str()).collect();
        prop_assert!(rr.stored().len() <= names.len(), "an entry for each name, or fewer");
        for seen in rr.0.iter().filter(|seen| &*seen.name != OTHERS) {
            prop_assert_eq!(rr.0.iter().filter(|other| other.name == seen.name).count(), 1);
            // Fewer if it was beyond the bounds in a batch of its own.
            let all = batches.iter().flatten().filter(|(name, ..)| *name == *seen.name).count();
            prop_assert!(seen.count as usize <= all);
        }
    }
}
