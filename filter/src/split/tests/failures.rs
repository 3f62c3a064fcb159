//! Partitions that fail, and the response that results.

use onceway_signal::Source;
use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, SignalOutcome, Status};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Scene, created, fingerprint, firing};
use crate::fake_host::{Call, FakeHost};
use crate::{Config, Decision};

fn host() -> FakeHost {
    FakeHost::post(Source::Prometheus.path())
}

fn host_with_breaker(in_flight: usize) -> FakeHost {
    let host = host();
    host.breaker(in_flight);
    host
}

fn alerts(count: usize) -> Vec<String> {
    (0..count).map(|n| firing(&format!("d{n}"))).collect()
}

fn statuses(outcomes: &[SignalOutcome]) -> Vec<Status> {
    outcomes.iter().map(|outcome| outcome.status).collect()
}

#[test]
fn a_failed_partition_makes_the_response_503_with_the_longest_retry_after() {
    let mut scene = Scene::of(Config::default(), &["a", "b", "c"].map(firing));
    let sent = scene.host.sent();
    let failed = |name, problem, retry_after_seconds| {
        SignalOutcome::failed(fingerprint(name), "why".to_owned(), Failure { problem, retry_after_seconds })
    };
    let (b, c) = (failed("b", ProblemKind::Overloaded, 3), failed("c", ProblemKind::Draining, 9));
    scene.count(&sent[0]);
    scene.deliver_outcomes(sent[2].token, vec![c.clone()]);
    scene.deliver_outcomes(sent[1].token, vec![b.clone()]);
    let (kind, retry_after_s, detail) = scene.problem();
    assert_eq!((kind, retry_after_s), (ProblemKind::Overloaded, Some(9)));
    assert!(detail.starts_with("2 of 3 results were not durably counted"), "{detail}");
    assert!(detail.ends_with("first failure: why"), "{detail}");
    assert_eq!(scene.responded(), (503, vec![created(&fingerprint("a")), b, c]));
}

#[test]
fn a_permanently_rejected_partition_is_named_and_fails_no_other() {
    let mut scene = Scene::of(Config::default(), &["a", "b"].map(firing));
    let sent = scene.host.sent();
    let problem = r#"{"type":"https://onceway.io/problems/unusable-signals","title":"t","status":400,"detail":"why"}"#;
    scene.deliver(sent[0].token, "400", problem);
    scene.count(&sent[1]);
    let (status, outcomes) = scene.responded();
    assert_eq!((status, statuses(&outcomes)), (207, vec![Status::Rejected, Status::Created]));
    assert_eq!((outcomes[0].message.as_str(), outcomes[0].fingerprint.clone()), ("why", Some(fingerprint("a"))));
}

#[test]
fn a_partition_without_a_usable_sub_response_fails() {
    let sub_responses: [(&[(&str, &str)], &str); 5] = [
        (&[], ""),
        (&[("content-length", "0")], ""),
        (&[(":status", "504")], "upstream request timeout"),
        (&[(":status", "503"), ("content-type", "text/plain")], "upstream connect error"),
        (&[(":status", "201")], "{\"status\":\"crea"),
    ];
    for (headers, body) in sub_responses {
        let mut scene = Scene::of(Config::default(), &["a", "b"].map(firing));
        let sent = scene.host.sent();
        scene.count(&sent[0]);
        scene.host.deliver(&mut scene.request, sent[1].token, headers, body);
        let (status, outcomes) = scene.responded();
        assert_eq!((status, statuses(&outcomes)), (503, vec![Status::Created, Status::Failed]), "{headers:?}");
        assert_eq!(outcomes[1].fingerprint, Some(fingerprint("b")));
        assert_eq!(scene.problem().1, Some(1));
    }
}

#[test]
fn a_body_of_which_no_partition_is_sent_passes_through_whole() {
    for host in [host().failing(Call::Dispatch), host_with_breaker(0)] {
        let scene = Scene::over(host, Config::default(), &["a", "b"].map(firing));
        assert_eq!(scene.host.fingerprint(), Some(fingerprint("a")));
        assert_eq!((scene.host.counted(), scene.host.response()), (vec![Decision::Several], None));
        assert_eq!(scene.host.calls(Call::Dispatch), 1, "not one per partition");
    }
}

#[test]
fn a_sub_request_rejected_by_the_open_breaker_is_sent_when_the_next_sub_response_arrives() {
    let mut scene = Scene::over(host_with_breaker(2), Config::default(), &alerts(9));
    assert_eq!(scene.host.in_flight().len(), 2);
    scene.count_all();
    let (status, outcomes) = scene.responded();
    assert_eq!((status, outcomes.len()), (207, 9));
}

#[test]
fn a_sub_request_rejected_by_the_breaker_with_none_in_flight_fails() {
    let mut scene = Scene::over(host_with_breaker(1), Config::default(), &alerts(3));
    scene.host.breaker(0);
    scene.count_all();
    let (status, outcomes) = scene.responded();
    assert_eq!((status, statuses(&outcomes)), (503, vec![Status::Created, Status::Failed, Status::Failed]));
    let (kind, _, detail) = scene.problem();
    assert!(kind == ProblemKind::Unreachable && !detail.contains("status 10"), "{kind:?} {detail}");
    assert!(scene.host.logged().iter().any(|line| line.contains("status 10")), "{:?}", scene.host.logged());
}

#[test]
fn a_later_sub_request_has_a_shorter_timeout_and_none_is_sent_after_the_deadline() {
    let config = Config { max_subrequests_in_flight: 1, split_timeout_ms: 500, ..Config::default() };
    let mut scene = Scene::of(config, &alerts(4));
    for (time, left) in [(200, 300), (299, 1)] {
        scene.host.pass_time(time);
        let sent = scene.host.sent().pop().unwrap();
        scene.count(&sent);
        assert_eq!(scene.host.sent().pop().unwrap().timeout_ms, left);
    }
    scene.host.pass_time(1);
    let sent = scene.host.sent().pop().unwrap();
    scene.count(&sent);
    assert_eq!(scene.host.sent().len(), 3);
    let (kind, _, detail) = scene.problem();
    assert!(kind == ProblemKind::DeadlineExceeded && detail.contains("500 ms"), "{kind:?} {detail}");
    assert_eq!(statuses(&scene.responded().1)[..], [Status::Created, Status::Created, Status::Created, Status::Failed]);
}

#[test]
fn a_body_whose_response_fails_passes_through_whole() {
    let mut scene = Scene::over(host().failing(Call::Respond), Config::default(), &alerts(2));
    scene.count_all();
    assert_eq!((scene.host.calls(Call::Resume), scene.host.counted()), (1, vec![Decision::Split]));
}

#[test]
fn without_a_clock_each_sub_request_has_the_whole_time() {
    let mut scene = Scene::over(host().failing(Call::Now), Config::default(), &alerts(2));
    assert!(scene.host.sent().iter().all(|sent| sent.timeout_ms == 9_000));
    scene.count_all();
    assert_eq!(scene.responded().0, 207);
}

#[test]
fn a_sub_response_that_cannot_be_read_fails_its_partition() {
    for call in [Call::SubResponseHeaders, Call::SubResponseBody] {
        let mut scene = Scene::over(host().failing(call), Config::default(), &alerts(2));
        scene.count_all();
        assert_eq!(scene.responded().0, 503, "{call:?}");
        assert!(scene.problem().2.contains("a replica's response could not be read; retry"), "{call:?}");
        assert!(scene.host.logged().iter().any(|line| line.contains("fake failed")), "{call:?}");
    }
}

#[test]
fn outcomes_of_a_sidecar_that_sees_other_incidents_are_all_reported() {
    let mut scene = Scene::of(Config::default(), &alerts(2));
    let sent = scene.host.sent();
    scene.deliver_outcomes(sent[1].token, vec![created("ffff")]);
    scene.deliver_outcomes(sent[0].token, vec![created("eeee"), created("dddd"), SignalOutcome::rejected_at(0, "no")]);
    let (status, outcomes) = scene.responded();
    let fingerprints: Vec<_> = outcomes.iter().map(|outcome| outcome.fingerprint.as_deref()).collect();
    assert_eq!((status, fingerprints), (207, vec![Some("eeee"), Some("dddd"), None, Some("ffff")]));
}

proptest! {
    #[test]
    fn any_sub_responses_in_any_order_make_one_response(
        sub_responses in vec((any::<usize>(), 0u16..700, any::<String>(), any::<bool>()), 12),
        max_in_flight in 1u32..6,
        breaker in 1usize..6,
    ) {
        let config = Config { max_subrequests_in_flight: max_in_flight, ..Config::default() };
        let mut scene = Scene::over(host_with_breaker(breaker), config, &alerts(12));
        let mut retry = false;
        for (pick, status, body, good) in sub_responses {
            let in_flight = scene.host.in_flight();
            prop_assert!(!in_flight.is_empty() && in_flight.len() <= (max_in_flight as usize).min(breaker));
            let token = in_flight[pick % in_flight.len()];
            if good {
                let sent = scene.host.sent().into_iter().find(|sent| sent.token == token).unwrap();
                scene.count(&sent);
            } else {
                scene.deliver(token, &status.to_string(), &body);
                retry |= !(400..500).contains(&status) || [408, 425, 429].contains(&status);
            }
        }
        prop_assert!(scene.host.in_flight().is_empty());
        let (status, outcomes) = scene.responded();
        prop_assert_eq!(outcomes.len(), 12);
        prop_assert_eq!(status == 503, retry);
    }
}
