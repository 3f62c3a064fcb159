use std::rc::Rc;

use onceway_signal::retry_after::MAX_RETRY_AFTER_S;

use super::{Place, Splits, WINDOW_MS};

/// The time that each split has, in milliseconds.
const TIME: u64 = 9_000;

fn begin(splits: &Rc<Splits>, partitions: u32, now: u64) -> Option<Place> {
    splits.begin(partitions, now, now + TIME).ok()
}

/// Splits whose rate is known: this many partitions a second, over windows that end at the returned time.
fn measured(per_second: u32) -> (Rc<Splits>, u64) {
    const WINDOWS: u64 = 40;
    let splits = Rc::new(Splits::default());
    let place = begin(&splits, 1_000_000, 0).unwrap();
    let partitions = u64::from(per_second) * WINDOW_MS / 1000;
    for n in 1..=partitions * WINDOWS {
        place.ended(true, n * WINDOW_MS / partitions);
    }
    (splits, WINDOWS * WINDOW_MS)
}

#[test]
fn the_only_split_begins_however_large_it_is() {
    let splits = Rc::new(Splits::default());
    assert!(begin(&splits, u32::MAX, 0).is_some());
    let (slow, now) = measured(2);
    assert!(begin(&slow, 1024, now).is_some());
}

#[test]
fn until_the_rate_is_known_it_is_that_of_a_small_cluster() {
    let splits = Rc::new(Splits::default());
    // 100 a second: 180 in a fifth of nine seconds.
    let _running = begin(&splits, 90, 0).unwrap();
    assert!(begin(&splits, 91, 0).is_none());
    assert!(begin(&splits, 90, 0).is_some());
}

#[test]
fn a_split_begins_if_it_and_all_those_that_it_delays_are_predicted_to_end_in_time() {
    // 200 a second: 360 in a fifth of nine seconds, and 1,080 in six tenths.
    let (splits, now) = measured(200);
    let one = begin(&splits, 170, now).unwrap();
    let other = begin(&splits, 170, now).unwrap();
    assert!(begin(&splits, 170, now).is_none());
    // A small one ends early.
    assert!(begin(&splits, 100, now).is_some());
    drop((one, other));
    // A large one, which began alone, must end in six tenths.
    let large = begin(&splits, 1000, now).unwrap();
    assert!(begin(&splits, 79, now).is_some());
    assert!(begin(&splits, 81, now).is_none());
    drop(large);
    assert!(begin(&splits, 170, now).is_some());
}

#[test]
fn a_newcomer_must_not_delay_one_that_has_little_time_left() {
    let (splits, now) = measured(200);
    let old = begin(&splits, 1024, now).unwrap();
    // Seven seconds later 220 are left, and 1.2 s of six tenths of the time.
    let later = now + 7_000;
    splits.state.borrow_mut().in_flight[0].left = 220;
    assert!(begin(&splits, 18, later).is_some(), "220 + 18 of 240");
    assert!(begin(&splits, 25, later).is_none());
    drop(old);
    assert!(begin(&splits, 1024, later).is_some(), "the only one");
}

#[test]
fn a_rate_is_measured_of_acknowledged_partitions_alone_and_only_while_a_split_is_in_flight() {
    let (splits, now) = measured(200);
    let rate = |splits: &Rc<Splits>| splits.state.borrow().rate.per_ms;
    assert!((rate(&splits) - 0.2).abs() < 1e-9);
    // An hour without a split is no measurement.
    let hour = now + 3_600_000;
    let place = begin(&splits, 1_000, hour).unwrap();
    place.ended(true, hour + 1);
    assert!((rate(&splits) - 0.2).abs() < 1e-9);
    // Replicas that refuse at once are not fast.
    for _ in 0..1000 {
        place.ended(false, hour + WINDOW_MS);
    }
    assert!(rate(&splits) < 0.11);
}

#[test]
fn after_an_outage_the_only_split_finds_out_and_the_others_wait() {
    let (splits, mut now) = measured(200);
    let stalled = begin(&splits, 100, now).unwrap();
    for _ in 0..40 {
        now += WINDOW_MS;
        stalled.ended(false, now);
    }
    assert!(begin(&splits, 2, now).is_none());
    drop(stalled);
    let probe = begin(&splits, 100, now).unwrap();
    for n in 1..=100 {
        probe.ended(true, now + n * 10);
    }
    now += 1_000;
    assert!(begin(&splits, 100, now).is_some());
}

#[test]
fn a_rejected_split_is_asked_to_come_back_when_there_is_room_and_not_together_with_others() {
    let (splits, now) = measured(200);
    let _running = begin(&splits, 1440, now).unwrap();
    let waits: Vec<u32> =
        (0..5).map(|n| splits.begin(1024, now + n, now + n + TIME).unwrap_err().retry_after_s).collect();
    assert!(waits.iter().all(|wait| (4..=8).contains(wait)), "{waits:?}");
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
    let (slow, now) = measured(2);
    let _running = begin(&slow, 1_000_000, now).unwrap();
    assert!(slow.begin(2, now, now + TIME).unwrap_err().retry_after_s <= 2 * MAX_RETRY_AFTER_S);
}
