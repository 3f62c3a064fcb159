//! The ends of a split: what fails, and what becomes of it.

use onceway_signal::Source;
use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, SignalOutcome, Status};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Scene, created, fingerprint, firing};
use crate::fake::{Call, FakeHost};
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

fn statuses(told: &[SignalOutcome]) -> Vec<Status> {
    told.iter().map(|told| told.status).collect()
}

#[test]
fn one_part_that_failed_makes_the_whole_answer_503_with_the_longest_wait() {
    let mut scene = Scene::of(Config::default(), &["a", "b", "c"].map(firing));
    let sent = scene.host.sent();
    let failed = |name, problem, retry_after_seconds| {
        SignalOutcome::failed(fingerprint(name), "why".to_owned(), Failure { problem, retry_after_seconds })
    };
    let (b, c) = (failed("b", ProblemKind::Overloaded, 3), failed("c", ProblemKind::Draining, 9));
    scene.count(&sent[0]);
    scene.tell(sent[2].token, vec![c.clone()]);
    scene.tell(sent[1].token, vec![b.clone()]);
    let (kind, retry_after_s, detail) = scene.problem();
    assert_eq!((kind, retry_after_s), (ProblemKind::Overloaded, Some(9)));
    assert!(detail.starts_with("2 of 3 results were not durably counted"), "{detail}");
    assert!(detail.ends_with("first failure: why"), "{detail}");
    assert_eq!(scene.answered(), (503, vec![created(&fingerprint("a")), b, c]));
}

#[test]
fn a_part_that_is_at_fault_for_good_is_named_and_holds_no_other_back() {
    let mut scene = Scene::of(Config::default(), &["a", "b"].map(firing));
    let sent = scene.host.sent();
    let problem = r#"{"type":"https://onceway.io/problems/unusable-signals","title":"t","status":400,"detail":"why"}"#;
    scene.reply(sent[0].token, "400", problem);
    scene.count(&sent[1]);
    let (status, told) = scene.answered();
    assert_eq!((status, statuses(&told)), (207, vec![Status::Rejected, Status::Created]));
    assert_eq!((told[0].message.as_str(), told[0].fingerprint.clone()), ("why", Some(fingerprint("a"))));
}

#[test]
fn a_part_without_a_usable_reply_has_failed() {
    let replies: [(&[(&str, &str)], &str); 5] = [
        (&[], ""),
        (&[("content-length", "0")], ""),
        (&[(":status", "504")], "upstream request timeout"),
        (&[(":status", "503"), ("content-type", "text/plain")], "upstream connect error"),
        (&[(":status", "201")], "{\"status\":\"crea"),
    ];
    for (headers, body) in replies {
        let mut scene = Scene::of(Config::default(), &["a", "b"].map(firing));
        let sent = scene.host.sent();
        scene.count(&sent[0]);
        scene.host.reply(&mut scene.request, sent[1].token, headers, body);
        let (status, told) = scene.answered();
        assert_eq!((status, statuses(&told)), (503, vec![Status::Created, Status::Failed]), "{headers:?}");
        assert_eq!(told[1].fingerprint, Some(fingerprint("b")));
        assert_eq!(scene.problem().1, Some(1));
    }
}

#[test]
fn a_proxy_that_sends_nothing_gets_the_body_whole() {
    for host in [host().failing(Call::Dispatch), host_with_breaker(0)] {
        let scene = Scene::over(host, Config::default(), &["a", "b"].map(firing));
        assert_eq!(scene.host.fingerprint(), Some(fingerprint("a")));
        assert_eq!((scene.host.counted(), scene.host.answered()), (vec![Decision::Several], None));
        assert_eq!(scene.host.calls(Call::Dispatch), 1, "and is not asked for each part");
    }
}

#[test]
fn what_a_full_breaker_keeps_back_is_sent_with_the_next_reply() {
    let mut scene = Scene::over(host_with_breaker(2), Config::default(), &alerts(9));
    assert_eq!(scene.host.pending().len(), 2);
    scene.count_all();
    let (status, told) = scene.answered();
    assert_eq!((status, told.len()), (207, 9));
}

#[test]
fn what_a_breaker_still_keeps_back_after_the_last_reply_has_failed() {
    let mut scene = Scene::over(host_with_breaker(1), Config::default(), &alerts(3));
    scene.host.breaker(0);
    scene.count_all();
    let (status, told) = scene.answered();
    assert_eq!((status, statuses(&told)), (503, vec![Status::Created, Status::Failed, Status::Failed]));
    let (kind, _, detail) = scene.problem();
    assert!(kind == ProblemKind::Unreachable && detail.contains("status 10"), "{kind:?} {detail}");
}

#[test]
fn what_is_sent_late_has_less_time_and_what_is_too_late_is_not_sent() {
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
    assert_eq!(statuses(&scene.answered().1)[..], [Status::Created, Status::Created, Status::Created, Status::Failed]);
}

#[test]
fn an_answer_that_cannot_be_given_lets_the_body_go_whole() {
    let mut scene = Scene::over(host().failing(Call::Answer), Config::default(), &alerts(2));
    scene.count_all();
    assert_eq!((scene.host.calls(Call::Resume), scene.host.counted()), (1, vec![Decision::Split]));
}

#[test]
fn a_proxy_without_a_clock_gives_each_part_the_whole_time() {
    let mut scene = Scene::over(host().failing(Call::Now), Config::default(), &alerts(2));
    assert!(scene.host.sent().iter().all(|sent| sent.timeout_ms == 9_000));
    scene.count_all();
    assert_eq!(scene.answered().0, 207);
}

#[test]
fn a_reply_that_the_proxy_does_not_hand_out_has_failed() {
    for call in [Call::ReplyHeaders, Call::ReplyBody] {
        let mut scene = Scene::over(host().failing(call), Config::default(), &alerts(2));
        scene.count_all();
        assert_eq!(scene.answered().0, 503, "{call:?}");
        assert!(scene.problem().2.contains("fake failed"), "{call:?}");
    }
}

#[test]
fn what_a_sidecar_of_another_version_sees_otherwise_is_told_all_the_same() {
    let mut scene = Scene::of(Config::default(), &alerts(2));
    let sent = scene.host.sent();
    scene.tell(sent[1].token, vec![created("ffff")]);
    scene.tell(sent[0].token, vec![created("eeee"), created("dddd"), SignalOutcome::rejected_at(0, "no")]);
    let (status, told) = scene.answered();
    let fingerprints: Vec<_> = told.iter().map(|told| told.fingerprint.as_deref()).collect();
    assert_eq!((status, fingerprints), (207, vec![Some("eeee"), Some("dddd"), None, Some("ffff")]));
}

proptest! {
    #[test]
    fn whatever_comes_back_in_whatever_order_there_is_one_answer(
        replies in vec((any::<usize>(), 0u16..700, any::<String>(), any::<bool>()), 12),
        at_once in 1u32..6,
        breaker in 1usize..6,
    ) {
        let config = Config { max_subrequests_in_flight: at_once, ..Config::default() };
        let mut scene = Scene::over(host_with_breaker(breaker), config, &alerts(12));
        let mut lost = false;
        for (pick, status, body, good) in replies {
            let pending = scene.host.pending();
            prop_assert!(!pending.is_empty() && pending.len() <= (at_once as usize).min(breaker));
            let token = pending[pick % pending.len()];
            if good {
                let sent = scene.host.sent().into_iter().find(|sent| sent.token == token).unwrap();
                scene.count(&sent);
            } else {
                scene.reply(token, &status.to_string(), &body);
                lost |= !(400..500).contains(&status) || [408, 425, 429].contains(&status);
            }
        }
        prop_assert!(scene.host.pending().is_empty());
        let (status, told) = scene.answered();
        prop_assert_eq!(told.len(), 12);
        prop_assert_eq!(status == 503, lost);
    }
}
