//! Webhooks that would not end in time, and those that are sent again.

use std::rc::Rc;

use onceway_signal::Source;
use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, SignalOutcome};

use super::{Scene, created, fingerprint, firing};
use crate::fake_host::{Call, FakeHost};
use crate::{Config, Decision, Shared};

fn alerts(count: usize) -> Vec<String> {
    (0..count).map(|n| firing(&format!("d{n}"))).collect()
}

fn sent_at(vm: &Rc<Shared>, ms: u64, alerts: &[String]) -> Scene {
    let host = FakeHost::post(Source::Prometheus.path());
    host.pass_time(ms);
    Scene::in_vm(vm, host, Config::default(), alerts)
}

/// Sent to another worker of the same proxy.
fn sent_beside(other: &Scene, ms: u64, alerts: &[String]) -> Scene {
    let host = FakeHost::post(Source::Prometheus.path()).beside(&other.host);
    host.pass_time(ms);
    Scene::in_vm(&Rc::default(), host, Config::default(), alerts)
}

/// The id that all its sub-requests carry.
fn id(scene: &Scene) -> String {
    let sent = scene.host.sent();
    let ids: Vec<&str> = sent.iter().map(|sent| sent.header("x-onceway-webhook").unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() == 64 && *id == ids[0]), "{ids:?}");
    ids[0].to_owned()
}

/// One owner counts its part, and the other fails.
fn fail(scene: &mut Scene) {
    let sent = scene.host.sent();
    scene.count(&sent[0]);
    let failure = Failure { problem: ProblemKind::DeadlineExceeded, retry_after_seconds: 7 };
    let failed = SignalOutcome::failed(sent[1].header(":authority").unwrap().to_owned(), "late".to_owned(), failure);
    scene.deliver_outcomes(sent[1].token, vec![failed]);
    assert_eq!(scene.problem().1, Some(7), "the longest Retry-After is passed on");
}

#[test]
fn a_webhook_that_others_leave_no_time_for_is_rejected_before_anything_of_it_is_sent() {
    let vm = Rc::<Shared>::default();
    let _running = sent_at(&vm, 0, &alerts(700));
    let late = sent_at(&vm, 0, &alerts(541));
    assert_eq!((late.host.sent().len(), late.host.counted()), (0, vec![Decision::Shed]));
    let (kind, retry_after_s, detail) = late.problem();
    assert!(
        kind == ProblemKind::Overloaded && retry_after_s.is_some_and(|wait| wait >= 1),
        "{retry_after_s:?} {detail}"
    );
    assert!(detail.contains("nothing of it was counted"), "{detail}");
    // A single incident is not split, and its replica decides.
    let single = sent_at(&vm, 0, &alerts(1));
    assert_eq!(single.host.counted(), [Decision::Fingerprinted]);
}

#[test]
fn a_split_gives_its_place_back_when_it_ends_and_when_its_sender_leaves() {
    let vm = Rc::<Shared>::default();
    drop(sent_at(&vm, 0, &alerts(700)));
    let mut ended = sent_at(&vm, 0, &alerts(700));
    ended.count_all();
    assert_eq!(ended.responded().0, 207);
    assert_eq!(sent_at(&vm, 0, &alerts(700)).host.counted(), [Decision::Split]);
}

#[test]
fn the_parts_of_a_retry_carry_the_id_of_the_attempt_that_failed_until_one_is_acknowledged() {
    let pair = ["a", "b"].map(firing);
    let mut first = sent_at(&Rc::default(), 1, &pair);
    fail(&mut first);
    let mut second = sent_beside(&first, 2, &pair);
    assert_eq!(id(&second), id(&first));
    let counted = ["a", "b"].map(|name| created(&fingerprint(name)));
    for (sent, outcome) in second.host.sent().into_iter().zip(counted) {
        second.deliver_outcomes(sent.token, vec![outcome]);
    }
    assert_eq!(second.responded().0, 207);
    assert_ne!(id(&sent_beside(&first, 3, &pair)), id(&first));
}

#[test]
fn a_sender_that_leaves_sends_the_same_webhook_again() {
    let pair = ["a", "b"].map(firing);
    let mut left = sent_at(&Rc::default(), 1, &pair);
    left.end();
    assert_eq!(id(&sent_beside(&left, 2, &pair)), id(&left));
    // The end of a stream that has its response says nothing.
    let mut ended = sent_beside(&left, 3, &["c", "d"].map(firing));
    ended.count_all();
    ended.end();
    assert_ne!(id(&sent_beside(&left, 4, &["c", "d"].map(firing))), id(&ended));
}

#[test]
fn each_part_says_how_long_the_filter_waits_for_it() {
    let config = Config { max_subrequests_in_flight: 1, ..Config::default() };
    let mut scene = Scene::of(config, &alerts(2));
    scene.host.pass_time(2_500);
    let first = scene.host.sent()[0].clone();
    scene.count(&first);
    let left: Vec<String> =
        scene.host.sent().iter().map(|sent| sent.header("x-onceway-time-left-ms").unwrap().to_owned()).collect();
    assert_eq!(left, ["9000", "6500"]);
}

#[test]
fn a_proxy_without_a_clock_splits_without_a_prediction() {
    let vm = Rc::<Shared>::default();
    let without_a_clock = || {
        let host = FakeHost::post(Source::Prometheus.path()).failing(Call::Now);
        Scene::in_vm(&vm, host, Config::default(), &alerts(700))
    };
    let _running = without_a_clock();
    assert_eq!(without_a_clock().host.counted(), [Decision::Split]);
}
