use std::rc::Rc;

use onceway_signal::retry_after::MAX_RETRY_AFTER_S;

use super::{Ended, Place, Splits, WINDOW_MS};

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
        place.ended(Ended::Counted, n * WINDOW_MS / partitions);
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
fn before_the_rate_is_known_a_first_burst_begins() {
    let splits = Rc::new(Splits::default());
    // 600 a second: 540 in a tenth of nine seconds.
    let _burst: Vec<Place> = (0..10).map(|_| begin(&splits, 60, 0).unwrap()).collect();
    assert!(begin(&splits, 60, 0).is_none());
}

#[test]
fn a_split_begins_if_little_is_served_of_others_until_it_ends() {
    // 200 a second: 180 in a tenth of nine seconds.
    let (splits, now) = measured(200);
    let _others: Vec<Place> = (0..3).map(|_| begin(&splits, 85, now).unwrap()).collect();
    assert!(begin(&splits, 85, now).is_none());
    assert!(begin(&splits, 61, now).is_none() && begin(&splits, 59, now).is_some(), "a small one ends early");
}

#[test]
fn a_large_split_begins_beside_small_ones_as_another_small_one_would() {
    // 400 a second: 360 in a tenth of nine seconds, and 2,520 in seven tenths.
    let (splits, now) = measured(400);
    let mut others: Vec<Place> = (0..36).map(|_| begin(&splits, 10, now).unwrap()).collect();
    let large = begin(&splits, 1000, now).unwrap();
    assert!(begin(&splits, 1000, now).is_none(), "beside another large one");
    drop(large);
    others.push(begin(&splits, 10, now).unwrap());
    assert!(begin(&splits, 10, now).is_none() && begin(&splits, 1000, now).is_none());
}

#[test]
fn a_split_begins_if_it_and_all_those_that_it_delays_are_predicted_to_end_in_time() {
    // 200 a second: 1,260 in seven tenths of nine seconds.
    let (splits, now) = measured(200);
    let large = begin(&splits, 1200, now).unwrap();
    assert!(begin(&splits, 59, now).is_some());
    assert!(begin(&splits, 61, now).is_none(), "the large one would be late");
    drop(large);
    let _small = begin(&splits, 10, now).unwrap();
    assert!(begin(&splits, 1251, now).is_none(), "it would be late itself");
    assert!(begin(&splits, 1249, now).is_some());
}

#[test]
fn a_newcomer_must_not_delay_one_that_has_little_time_left() {
    let (splits, now) = measured(200);
    let old = begin(&splits, 1024, now).unwrap();
    // Seven seconds later 220 are left, and 1.4 s of seven tenths of the time.
    let later = now + 7_000;
    splits.state.borrow_mut().in_flight[0].rest.partitions = 220;
    assert!(begin(&splits, 59, later).is_some(), "220 + 59 of 280");
    assert!(begin(&splits, 61, later).is_none());
    drop(old);
    assert!(begin(&splits, 1024, later).is_some(), "the only one");
}

#[test]
fn one_that_ends_too_late_in_any_case_keeps_no_other_from_beginning() {
    let (splits, now) = measured(50);
    let _lost = begin(&splits, 1000, now).unwrap();
    // Two seconds later it has seven for 800, at 50 a second.
    let later = now + 2_000;
    splits.state.borrow_mut().in_flight[0].rest.partitions = 800;
    assert!(begin(&splits, 44, later).is_some(), "45 are served of the other in a tenth of nine seconds");
    assert!(begin(&splits, 46, later).is_none());
    // At twice the rate it would end in time.
    splits.state.borrow_mut().in_flight[0].rest.partitions = 690;
    assert!(begin(&splits, 2, later).is_none());
}

#[test]
fn failures_of_a_sender_that_may_not_count_leave_room_for_the_splits_of_others() {
    let (splits, mut now) = measured(200);
    // Beyond its budget, for an hour.
    let refused = begin(&splits, 60, now).unwrap();
    for _ in 0..7_200 {
        now += WINDOW_MS;
        refused.ended(Ended::Failed, now);
    }
    assert!(begin(&splits, 18, now).is_some());
}

#[test]
fn what_is_rejected_says_nothing_of_how_many_can_be_counted() {
    let (splits, now) = measured(200);
    let place = begin(&splits, 1_000_000, now).unwrap();
    for n in 1..=10_000 {
        place.ended(Ended::Uncounted, now + n);
    }
    assert!((splits.state.borrow().rate.per_ms - 0.2).abs() < 1e-9);
}

#[test]
fn a_rate_is_measured_of_counted_partitions_alone_and_only_while_a_split_is_in_flight() {
    let (splits, now) = measured(200);
    let rate = |splits: &Rc<Splits>| splits.state.borrow().rate.per_ms;
    assert!((rate(&splits) - 0.2).abs() < 1e-9);
    // An hour without a split is no measurement.
    let hour = now + 3_600_000;
    let place = begin(&splits, 1_000, hour).unwrap();
    place.ended(Ended::Counted, hour + 1);
    assert!((rate(&splits) - 0.2).abs() < 1e-9);
    // Replicas that refuse at once are not fast.
    for _ in 0..1000 {
        place.ended(Ended::Failed, hour + WINDOW_MS);
    }
    assert!(rate(&splits) < 0.11);
}

#[test]
fn few_partitions_say_nothing_of_how_many_could_be_counted() {
    let (splits, now) = measured(200);
    let rate = |splits: &Rc<Splits>| splits.state.borrow().rate.per_ms;
    // Twenty a second, each of which ends at once.
    let place = begin(&splits, 100, now).unwrap();
    splits.state.borrow_mut().in_flight[0].rest.partitions = 1;
    for n in 1..=100 {
        place.ended(Ended::Counted, now + n * WINDOW_MS / 10);
    }
    assert!((rate(&splits) - 0.2).abs() < 1e-9);
    // As many, and more wait.
    splits.state.borrow_mut().in_flight[0].rest.partitions = 1_000;
    for n in 101..=200 {
        place.ended(Ended::Counted, now + n * WINDOW_MS / 10);
    }
    assert!(rate(&splits) < 0.021);
    // The API server has room again.
    for n in 1..=2_000 {
        place.ended(Ended::Counted, now + 20 * WINDOW_MS + n * 5);
    }
    assert!((rate(&splits) - 0.2).abs() < 1e-3);
}

#[test]
fn after_an_outage_the_only_split_finds_out_and_the_others_wait() {
    let (splits, mut now) = measured(200);
    let stalled = begin(&splits, 100, now).unwrap();
    for _ in 0..40 {
        now += WINDOW_MS;
        stalled.ended(Ended::Failed, now);
    }
    assert!(begin(&splits, 100, now).is_none());
    drop(stalled);
    let probe = begin(&splits, 100, now).unwrap();
    for n in 1..=100 {
        probe.ended(Ended::Counted, now + n * 10);
    }
    now += 1_000;
    assert!(begin(&splits, 50, now).is_some());
}

#[test]
fn short_splits_one_after_the_other_raise_a_rate_that_an_outage_has_lowered() {
    let (splits, mut now) = measured(2);
    {
        let _running = begin(&splits, 30, now).unwrap();
        assert!(begin(&splits, 30, now).is_none());
    }
    // Each takes 50 ms, and the next one begins a second later.
    for _ in 0..100 {
        let place = begin(&splits, 10, now).unwrap();
        for n in 1..=10 {
            place.ended(Ended::Counted, now + n * 5);
        }
        now += 1_000;
    }
    let rate = splits.state.borrow().rate.per_ms;
    assert!((0.15..0.25).contains(&rate), "{rate}");
}

#[test]
fn a_refused_split_is_asked_to_come_back_when_there_is_room_and_not_together_with_others() {
    let (splits, now) = measured(200);
    let _running = begin(&splits, 1440, now).unwrap();
    let waits: Vec<u32> =
        (0..5).map(|n| splits.begin(1024, now + n, now + n + TIME).unwrap_err().retry_after_s).collect();
    assert!(waits.iter().all(|wait| (4..=8).contains(wait)), "{waits:?}");
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
    let (slow, now) = measured(2);
    let _running = begin(&slow, 1_000_000, now).unwrap();
    assert!(slow.begin(100, now, now + TIME).unwrap_err().retry_after_s <= 2 * MAX_RETRY_AFTER_S);
}
