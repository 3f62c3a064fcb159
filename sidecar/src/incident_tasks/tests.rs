//! Batching, write intervals, limits and ends of incident tasks, in paused time, over scripted outcomes. The protocol's races
//! are proven by the model checker and against a real API server, not against this script.

mod script;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onceway_claim::ApiCall;
use tokio::time::Instant;

use self::script::{DEADLINE, IDLE, INTERVAL, Rig, fingerprint, refused, unavailable};
use crate::incident::{Counted, Drain, SubmitError};

#[tokio::test(start_paused = true)]
async fn a_first_signal_creates_an_rr_and_its_result_says_so() {
    let rig = Rig::new();
    let counted = rig.submit(1, 2).await.unwrap().unwrap();
    assert!(counted.created);
    assert_eq!((counted.count, counted.namespace.as_str()), (2, "incidents"));
    assert!(counted.name.starts_with(&format!("rr-{}-", &fingerprint(1).hex()[..12])));
    assert_eq!(rig.api.counts(), [2]);
}

#[tokio::test(start_paused = true)]
async fn signals_that_arrive_while_a_write_is_in_flight_are_counted_together_by_the_next() {
    let rig = Rig::new();
    let hold = rig.api.hold_counts();
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    let rest: Vec<_> = (0..50).map(|_| rig.submit(1, 2)).collect();
    rig.run_until_idle().await;
    hold.release();
    assert!(first.await.unwrap().unwrap().created);
    for one in rest {
        let counted = one.await.unwrap().unwrap();
        assert_eq!((counted.created, counted.count), (false, 101));
    }
    assert_eq!(rig.api.counts(), [1, 101]);
}

#[tokio::test(start_paused = true)]
async fn exactly_one_submission_of_the_first_batch_is_reported_as_created() {
    let rig = Rig::new();
    let all: Vec<_> = (0..10).map(|_| rig.submit(1, 1)).collect();
    let mut created = 0;
    for one in all {
        created += usize::from(one.await.unwrap().unwrap().created);
    }
    assert_eq!((created, rig.api.counts()), (1, vec![10]));
}

#[tokio::test(start_paused = true)]
async fn the_first_write_goes_at_once_and_later_ones_one_per_interval() {
    let rig = Rig::new();
    let start = Instant::now();
    for _ in 0..5 {
        rig.submit(1, 1).await.unwrap().unwrap();
    }
    assert_eq!(rig.api.counted_at(start), [0, 20, 40, 60, 80]);
    tokio::time::sleep(INTERVAL * 10).await;
    let later = Instant::now();
    rig.submit(1, 1).await.unwrap().unwrap();
    assert_eq!(rig.api.counted_at(later).last(), Some(&0), "an idle incident does not wait");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_meets_a_conflict_counts_for_the_write_interval() {
    let rig = Rig::new();
    let start = Instant::now();
    rig.submit(1, 1).await.unwrap().unwrap();
    rig.api.give_the_next_counts_a_conflict(2);
    for _ in 0..2 {
        rig.submit(1, 1).await.unwrap().unwrap();
    }
    let counted = rig.api.counted_at(start);
    assert_eq!(counted[..3], [0, 20, 20], "a conflict is tried again at once");
    assert_eq!(counted[4], 80, "as if each of the three writes had its own batch");
}

#[tokio::test(start_paused = true)]
async fn incidents_do_not_wait_for_each_other() {
    let rig = Rig::new();
    let hold = rig.api.hold_counts();
    let stuck = rig.submit(1, 1);
    rig.api.reached().await;
    hold.only(1);
    rig.submit(2, 1).await.unwrap().unwrap();
    hold.release();
    stuck.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects_and_names_the_limit() {
    let rig = Rig::with(|settings| settings.max_queue_per_incident = 2);
    let hold = rig.api.hold_counts();
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    let queued = [rig.submit(1, 1), rig.submit(1, 1)];
    rig.run_until_idle().await;
    let shed = rig.submit(1, 1).await.unwrap().unwrap_err();
    assert!(matches!(shed, SubmitError::Overloaded { limit: "limits.maxQueuePerIncident", .. }), "{shed}");
    hold.release();
    first.await.unwrap().unwrap();
    for one in queued {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_incident_beyond_the_limit_is_rejected_and_evicts_an_idle_one_later() {
    let rig = Rig::with(|settings| settings.max_incidents = 1);
    let hold = rig.api.hold_counts();
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    let shed = rig.submit(2, 1).await.unwrap().unwrap_err();
    assert!(matches!(shed, SubmitError::Overloaded { limit: "limits.maxIncidents", .. }), "{shed}");
    hold.release();
    first.await.unwrap().unwrap();
    tokio::time::sleep(INTERVAL * 2).await;
    rig.submit(2, 1).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_incident_whose_commit_failed_does_not_count_for_the_limit() {
    let rig = Rig::with(|settings| settings.max_incidents = 1);
    rig.api.force_outcome(refused());
    rig.submit(1, 1).await.unwrap().unwrap_err();
    tokio::time::sleep(INTERVAL * 2).await;
    rig.api.force_outcome(None);
    rig.submit(2, 1).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_incident_has_no_task_and_its_rr_is_not_read_again() {
    let rig = Rig::with(|settings| settings.max_incidents = 2);
    rig.submit(1, 1).await.unwrap().unwrap();
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!(rig.metric("gateway_incidents_in_hand"), 0);
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 2);
    assert_eq!(rig.api.reads_of_claims(), 1);
    for other in [2, 3] {
        tokio::time::sleep(INTERVAL * 2).await;
        rig.submit(other, 1).await.unwrap().unwrap();
    }
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 3);
    assert_eq!(rig.api.reads_of_claims(), 4, "idle for longest, it was evicted");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_was_idle_for_too_long_is_read_again() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    tokio::time::sleep(IDLE / 2).await;
    rig.submit(1, 1).await.unwrap().unwrap();
    tokio::time::sleep(IDLE / 2 + INTERVAL).await;
    rig.submit(1, 1).await.unwrap().unwrap();
    assert_eq!(rig.api.reads_of_claims(), 1);
    tokio::time::sleep(IDLE + INTERVAL).await;
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 4);
    assert_eq!(rig.api.reads_of_claims(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_rr_known_to_be_inactive_is_read_before_a_count() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    rig.api.say_that_rrs_are_inactive();
    // The hint was wrong: the API server has the RR as active.
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 2);
    assert_eq!((rig.api.reads_of_claims(), rig.api.counts()), (2, vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_the_write_interval() {
    let rig = Rig::new();
    rig.api.set_rr_bytes(3_000_000);
    rig.submit(1, 1).await.unwrap().unwrap();
    let start = Instant::now();
    rig.tasks().drain().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_all_queued_submissions_and_rejects_new_ones() {
    let rig = Rig::new();
    let hold = rig.api.hold_counts();
    let queued = [rig.submit(1, 1), rig.submit(1, 1), rig.submit(2, 1)];
    rig.api.reached().await;
    rig.run_until_idle().await;
    let drained = tokio::spawn({
        let tasks = rig.tasks();
        async move { tasks.drain().await }
    });
    rig.run_until_idle().await;
    assert_eq!(rig.submit(3, 1).await.unwrap().unwrap_err(), SubmitError::Draining);
    assert!(!drained.is_finished());
    hold.release();
    for one in queued {
        one.await.unwrap().unwrap();
    }
    drained.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queued_submission_whose_sender_has_disconnected_is_not_counted() {
    let rig = Rig::new();
    let hold = rig.api.hold_counts();
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    let disconnecting = rig.submit(1, 100);
    rig.run_until_idle().await;
    disconnecting.abort();
    rig.run_until_idle().await;
    hold.release();
    first.await.unwrap().unwrap();
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 2);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_api_server_is_named_at_the_deadline() {
    let rig = Rig::new();
    rig.api.force_outcome(unavailable());
    let start = Instant::now();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    let SubmitError::Deadline { cause, .. } = &error else { panic!("{error}") };
    assert_eq!(cause, "reading the incident's Lease: the API server responded with 503: unavailable");
    assert_eq!(start.elapsed(), DEADLINE);
    rig.api.force_outcome(None);
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 1);
}

#[tokio::test(start_paused = true)]
async fn a_submission_queued_behind_a_stuck_batch_gets_its_cause() {
    let rig = Rig::new();
    rig.api.force_outcome(unavailable());
    let first = rig.submit(1, 1);
    rig.run_until_idle().await;
    let second = rig.submit_for(1, 1, DEADLINE / 2);
    let SubmitError::Deadline { cause, .. } = second.await.unwrap().unwrap_err() else { panic!() };
    assert!(cause.contains("unavailable"), "{cause}");
    first.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_commit_at_once_and_names_the_refused_call() {
    let rig = Rig::new();
    rig.api.force_outcome(refused());
    let start = Instant::now();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SubmitError::Refused { .. }) && text.contains("leases is forbidden"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_count_that_cannot_be_resolved_is_not_acknowledged_and_not_added_again() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    rig.api.lose_the_response_to_the_next_count();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Unresolved { .. }), "{error}");
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_while_resolving_an_unknown_outcome_does_not_say_that_nothing_was_counted() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    rig.api.lose_the_response_to_the_next_count_and_refuse_later_calls();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Unresolved { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_took_longer_than_a_takeover_or_a_second_is_fenced_before_it_counts() {
    let (short, long) = (Duration::from_millis(100), Duration::from_secs(5));
    let just_over = |limit| limit + Duration::from_millis(1);
    for (takeover_after, took, fenced) in [
        (short, short, false),
        (short, just_over(short), true),
        (long, Duration::from_secs(1), false),
        (long, just_over(Duration::from_secs(1)), true),
    ] {
        let rig = Rig::with(|settings| settings.takeover_after = takeover_after);
        rig.api.set_create_latency(took);
        rig.submit(1, 1).await.unwrap().unwrap();
        let calls = rig.api.calls();
        let counted = calls.iter().position(|call| matches!(call, ApiCall::Count { .. })).unwrap();
        let confirmed = calls[..counted].iter().any(|call| matches!(call, ApiCall::UpdateClaim { .. }));
        assert_eq!(confirmed, fenced, "{takeover_after:?} {took:?}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_cuts_a_count_off_does_not_say_that_it_was_not_counted() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    let hold = rig.api.hold_counts();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Unresolved { .. }), "{error}");
    hold.release();
}

#[tokio::test(start_paused = true)]
async fn after_a_deadline_the_next_batch_is_counted_in_the_rr_that_was_known_without_a_read() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    let hold = rig.api.hold_counts();
    rig.submit(1, 1).await.unwrap().unwrap_err();
    hold.release();
    let before = rig.api.calls().len();
    rig.submit(1, 1).await.unwrap().unwrap();
    let calls = &rig.api.calls()[before..];
    assert!(matches!(calls, [ApiCall::Count { .. }]), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_conflicted_until_the_deadline_is_not_begun_again_with_the_same_version() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    rig.api.give_the_next_counts_a_conflict(u32::MAX);
    rig.submit(1, 1).await.unwrap().unwrap_err();
    rig.api.give_the_next_counts_a_conflict(0);
    let before = rig.api.calls().len();
    rig.submit(1, 1).await.unwrap().unwrap();
    let calls = &rig.api.calls()[before..];
    assert!(matches!(calls, [ApiCall::GetClaim, ApiCall::GetRr { .. }, ApiCall::Count { .. }]), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_is_counted_is_reported_even_if_its_sender_has_left() {
    const SECOND: Duration = Duration::from_secs(1);
    let rig = Rig::new();
    rig.api.set_count_latency(SECOND * 2);
    let counts = Arc::new(Mutex::new(Vec::new()));
    let telling = |incident, patience| {
        let counts = Arc::clone(&counts);
        let tell = move |counted: &Counted| counts.lock().unwrap().push(counted.count);
        rig.submit_telling(incident, 1, patience, Some(Box::new(tell)))
    };
    let first = telling(1, SECOND * 8);
    rig.run_until_idle().await;
    // Both are counted by the next write, which ends at four seconds.
    let (impatient, patient) = (telling(1, SECOND * 3), telling(1, SECOND * 8));
    assert!(matches!(impatient.await.unwrap(), Err(SubmitError::Deadline { .. })));
    assert_eq!(*counts.lock().unwrap(), [1]);
    assert_eq!((first.await.unwrap().unwrap().count, patient.await.unwrap().unwrap().count), (1, 3));
    assert_eq!(*counts.lock().unwrap(), [1, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_counted_before_its_deadline_is_refused_at_once_and_costs_no_call() {
    let rig = Rig::new();
    rig.api.set_expected_call(DEADLINE / 2);
    let start = Instant::now();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    let SubmitError::Overloaded { limit, retry_after_s } = error else { panic!("{error}") };
    assert_eq!((limit, start.elapsed()), ("limits.deadline", Duration::ZERO));
    assert!((12..=25).contains(&retry_after_s), "{retry_after_s}: three calls, and as much again at most");
    assert!(rig.api.calls().is_empty());
    rig.api.set_expected_call(DEADLINE / 4);
    assert_eq!(rig.submit(1, 1).await.unwrap().unwrap().count, 1);
}

#[tokio::test(start_paused = true)]
async fn what_begins_needs_time_for_one_more_wait_and_what_rides_with_a_count_that_is_made_anyway_does_not() {
    let rig = Rig::new();
    let is_accepted = async |incident, wait| {
        rig.api.set_expected_wait(wait);
        rig.submit(incident, 1).await.unwrap().is_ok()
    };
    // New: three calls, and one more wait.
    assert!(!is_accepted(1, DEADLINE * 10 / 39).await && is_accepted(1, DEADLINE * 10 / 41).await);
    // Known: one call, and one more wait.
    assert!(!is_accepted(1, DEADLINE * 10 / 19).await && is_accepted(1, DEADLINE * 10 / 21).await);
    // With a count in flight: that, and the next.
    let hold = rig.api.hold_counts();
    rig.api.set_expected_wait(Duration::ZERO);
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    assert!(!is_accepted(1, DEADLINE * 10 / 19).await);
    rig.api.set_expected_wait(DEADLINE * 10 / 21);
    let second = rig.submit(1, 1);
    rig.run_until_idle().await;
    hold.release();
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_queued_submission_that_can_no_longer_be_counted_in_time_is_refused_and_not_counted() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    let hold = rig.api.hold_counts();
    let first = rig.submit(1, 1);
    rig.api.reached().await;
    let queued = rig.submit(1, 1);
    rig.run_until_idle().await;
    rig.api.set_expected_call(DEADLINE * 2);
    hold.release();
    first.await.unwrap().unwrap();
    let error = queued.await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Overloaded { limit: "limits.deadline", .. }), "{error}");
    assert_eq!(rig.api.counts(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_queued_submission_is_not_refused_for_a_wait_that_may_be_half_as_long() {
    let rig = Rig::new();
    rig.submit(1, 1).await.unwrap().unwrap();
    for (wait, is_counted) in [(DEADLINE * 19 / 10, true), (DEADLINE * 21 / 10, false)] {
        rig.api.set_expected_wait(Duration::ZERO);
        let hold = rig.api.hold_counts();
        let first = rig.submit(1, 1);
        rig.api.reached().await;
        let queued = rig.submit(1, 1);
        rig.run_until_idle().await;
        rig.api.set_expected_wait(wait);
        hold.release();
        first.await.unwrap().unwrap();
        assert_eq!(queued.await.unwrap().is_ok(), is_counted, "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_rr_is_written_less_often() {
    let rig = Rig::new();
    rig.api.set_rr_bytes(100_000);
    let start = Instant::now();
    for _ in 0..3 {
        rig.submit(1, 1).await.unwrap().unwrap();
    }
    assert_eq!(rig.api.counted_at(start), [0, 100, 200], "at 1,000,000 bytes a second");
}

#[tokio::test(start_paused = true)]
async fn an_rr_of_any_size_is_written_twice_per_deadline() {
    let rig = Rig::new();
    rig.api.set_rr_bytes(100_000_000);
    let start = Instant::now();
    for _ in 0..2 {
        rig.submit(1, 1).await.unwrap().unwrap();
    }
    assert_eq!(rig.api.counted_at(start), [0, DEADLINE.as_millis() / 2]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_api_server_gets_fewer_writes_with_more_signals_in_each() {
    let interval = interval_when_a_count_takes(100, 50).await;
    assert!((170..=181).contains(&interval), "{interval}");
}

#[tokio::test(start_paused = true)]
async fn a_lone_incident_is_written_again_at_once() {
    assert_eq!(interval_when_a_count_takes(100, 1).await, 100);
}

#[tokio::test(start_paused = true)]
async fn however_slow_the_api_server_is_an_incident_is_written_twice_a_second() {
    assert_eq!(interval_when_a_count_takes(400, 50).await, 500, "a sixteenth of the deadline");
}

/// The final interval between two counts of one incident in milliseconds, with a count latency of `ms`.
async fn interval_when_a_count_takes(ms: u64, incidents: u8) -> u128 {
    let rig = Rig::new();
    rig.api.set_count_latency(Duration::from_millis(ms));
    let start = Instant::now();
    for _ in 0..30 {
        let all: Vec<_> = (0..incidents).map(|incident| rig.submit(incident, 1)).collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
    }
    let counted = rig.api.counted_at(start);
    let incidents = usize::from(incidents);
    counted[29 * incidents] - counted[28 * incidents]
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_replaced_and_leaves_nothing_behind() {
    let rig = Rig::new();
    rig.api.panic_in_the_next_call();
    let error = rig.submit(1, 1).await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Unresolved { .. }), "{error}");
    assert_eq!((rig.metric("gateway_incidents_in_hand"), rig.metric("gateway_queue_depth")), (0, 0));
    assert_eq!(rig.metric("gateway_panics_total"), 1);
    assert!(rig.submit(1, 1).await.unwrap().unwrap().created);
}
