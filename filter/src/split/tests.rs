//! Bodies of several incidents, over an in-memory proxy.

use std::rc::Rc;

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Metadata, SignalOutcome, SignalResponse, Status, merge};
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};

use crate::fake_host::{Call, FakeHost, Sent};
use crate::{Action, Config, Decision, Request, Shared};

mod cluster;
mod failures;
mod limits;
mod overload;
mod refused;

/// A request whose body is complete, and its proxy.
struct Scene {
    host: FakeHost,
    request: Request,
}

/// An alert about a Deployment.
fn firing(deployment: &str) -> String {
    alert(deployment, "firing")
}

fn alert(deployment: &str, status: &str) -> String {
    let labels = format!(r#"{{"alertname":"Crash","namespace":"prod","deployment":"{deployment}"}}"#);
    format!(r#"{{"status":"{status}","labels":{labels}}}"#)
}

fn webhook(alerts: &[String]) -> String {
    format!(r#"{{"version":"4","status":"firing","alerts":[{}],"receiver":"r"}}"#, alerts.join(","))
}

/// The fingerprint of a Deployment.
fn fingerprint(deployment: &str) -> String {
    let body = webhook(&[firing(deployment)]);
    decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).unwrap().groups()[0]
        .fingerprint
        .to_string()
}

/// The outcome of an owner that created an RR.
fn created(fingerprint: &str) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_owned(),
        count: 1,
        remediation_request_ref: format!("ns/rr-{fingerprint}"),
        first_occurrence: "2026-03-01T10:00:00Z".to_owned(),
        last_occurrence: "2026-03-01T10:00:00Z".to_owned(),
    };
    SignalOutcome::counted(true, "ns".to_owned(), format!("rr-{fingerprint}"), metadata)
}

impl Scene {
    /// Sends `alerts` in one body.
    fn of(config: Config, alerts: &[String]) -> Scene {
        Scene::over(FakeHost::post(Source::Prometheus.path()), config, alerts)
    }

    fn over(host: FakeHost, config: Config, alerts: &[String]) -> Scene {
        Scene::in_vm(&Rc::default(), host, config, alerts)
    }

    /// One of the requests of a VM.
    fn in_vm(vm: &Rc<Shared>, host: FakeHost, config: Config, alerts: &[String]) -> Scene {
        let body = webhook(alerts);
        host.buffer(body.as_bytes());
        let mut request = Request::new(Rc::new(config), Rc::clone(vm));
        assert_eq!(request.on_headers(&host, false), Action::Pause);
        request.on_body(&host, body.len(), true);
        Scene { host, request }
    }

    fn deliver(&mut self, token: u32, status: &str, body: &str) {
        self.host.deliver(&mut self.request, token, &[(":status", status)], body);
    }

    /// The proxy ends the stream.
    fn end(&mut self) {
        self.request.on_end(&self.host);
    }

    /// Delivers the sub-response of a sidecar that counted the partition's incident.
    fn count(&mut self, sent: &Sent) {
        let outcome = created(sent.header(":authority").unwrap());
        self.deliver_outcomes(sent.token, vec![outcome]);
    }

    /// Delivers a sub-response with these outcomes.
    fn deliver_outcomes(&mut self, token: u32, outcomes: Vec<SignalOutcome>) {
        let response = merge(outcomes);
        let body = String::from_utf8(response.to_json()).unwrap();
        let retry_after = response.retry_after_s().map(|seconds| seconds.to_string());
        let status = response.status().to_string();
        let mut headers = vec![(":status", status.as_str())];
        headers.extend(retry_after.as_deref().map(|seconds| ("retry-after", seconds)));
        self.host.deliver(&mut self.request, token, &headers, &body);
    }

    /// Counts every partition in flight, oldest first, until none is.
    fn count_all(&mut self) {
        while let Some(token) = self.host.in_flight().first().copied() {
            let sent = self.host.sent().into_iter().find(|sent| sent.token == token).unwrap();
            self.count(&sent);
        }
    }

    /// The response's status and outcomes.
    fn responded(&self) -> (u16, Vec<SignalOutcome>) {
        match self.host.response().expect("a response") {
            SignalResponse::One(status, outcome) => (status, vec![*outcome]),
            SignalResponse::MultiStatus(several) => (207, several.results),
            SignalResponse::Problem(problem) => {
                (problem.status, problem.multi_status.map(|multi_status| multi_status.results).unwrap_or_default())
            }
        }
    }

    fn problem(&self) -> (ProblemKind, Option<u32>, String) {
        let Some(SignalResponse::Problem(problem)) = self.host.response() else { panic!("{:?}", self.host.response()) };
        assert_eq!(problem.instance, Some(Source::Prometheus.path()));
        (ProblemKind::from_uri(problem.uri).unwrap(), problem.retry_after_s, problem.detail)
    }
}

#[test]
fn each_incident_is_sent_to_its_owner_in_the_order_of_first_appearance() {
    let alerts = ["b", "a", "b", "c"].map(firing);
    let scene = Scene::of(Config::default(), &alerts);
    let sent = scene.host.sent();
    let authorities: Vec<&str> = sent.iter().map(|sent| sent.header(":authority").unwrap()).collect();
    assert_eq!(authorities, ["b", "a", "c"].map(fingerprint));
    let own = r#"{"version":"4","status":"firing","receiver":"r","alerts":["#;
    let bodies =
        [format!("{own}{0},{0}]}}", alerts[0]), format!("{own}{}]}}", alerts[1]), format!("{own}{}]}}", alerts[3])];
    assert_eq!(sent.iter().map(|sent| sent.body.clone()).collect::<Vec<_>>(), bodies);
    assert!(sent.iter().all(|sent| sent.cluster == "onceway" && sent.timeout_ms == 9_000));
    assert!(sent.iter().all(|sent| sent.header("x-onceway-fingerprint") == sent.header(":authority")));
    assert_eq!(scene.host.counted(), [Decision::Split]);
    assert_eq!(scene.host.response(), None);
}

#[test]
fn sub_responses_are_merged_in_the_webhooks_order_whatever_arrives_first() {
    let mut scene = Scene::of(Config::default(), &["a", "b", "c"].map(firing));
    for sent in scene.host.sent().iter().rev() {
        assert_eq!(scene.host.response(), None);
        scene.count(sent);
    }
    assert_eq!(scene.host.response(), Some(merge(["a", "b", "c"].map(|name| created(&fingerprint(name))).to_vec())));
    assert_eq!(scene.responded().0, 207);
    // Later events send nothing upstream, and a second sub-response for a token is ignored.
    let first = scene.host.sent()[0].clone();
    scene.count(&first);
    assert_eq!(scene.request.on_body(&scene.host, 1, true), Action::Pause);
    assert_eq!(scene.request.on_trailers(&scene.host), Action::Pause);
    assert_eq!(scene.host.calls(Call::Respond), 1);
}

#[test]
fn the_sub_requests_in_flight_are_limited() {
    let alerts: Vec<String> = (0..60).map(|n| firing(&format!("d{n}"))).collect();
    let config = Config { max_subrequests_in_flight: 7, ..Config::default() };
    let mut scene = Scene::of(config, &alerts);
    for delivered in 0..60 {
        let in_flight = scene.host.in_flight();
        assert_eq!(in_flight.len(), 7.min(60 - delivered));
        let sent = scene.host.sent().into_iter().find(|sent| sent.token == in_flight[0]).unwrap();
        scene.count(&sent);
    }
    let (status, outcomes) = scene.responded();
    assert_eq!((status, outcomes.len(), scene.host.sent().len()), (207, 60, 60));
    assert!(outcomes.iter().all(|outcome| outcome.status == Status::Created));
}

#[test]
fn trailers_complete_a_body_that_is_split() {
    let host = FakeHost::post(Source::Prometheus.path());
    let body = webhook(&["a", "b"].map(firing));
    host.buffer(body.as_bytes());
    let mut request = Request::new(Rc::default(), Rc::default());
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    assert_eq!(request.on_body(&host, body.len(), false), Action::Pause);
    assert_eq!(request.on_trailers(&host), Action::Pause);
    assert_eq!(host.sent().len(), 2);
}

#[test]
fn only_firing_incidents_cost_a_sub_request_and_the_first_carries_the_other_alerts() {
    let unusable = r#"{"status":"firing","labels":{}}"#.to_owned();
    let alerts =
        [alert("gone", "resolved"), firing("a"), unusable.clone(), alert("b", "resolved"), firing("b"), firing("a")];
    let mut scene = Scene::of(Config::default(), &alerts);
    let sent = scene.host.sent();
    assert_eq!(sent.len(), 2);
    let own = r#"{"version":"4","status":"firing","receiver":"r","alerts":["#;
    assert_eq!(sent[0].body, format!("{own}{},{},{},{}]}}", alerts[0], alerts[1], unusable, alerts[5]));
    assert_eq!(sent[1].body, format!("{own}{},{}]}}", alerts[3], alerts[4]));
    // The unusable alert is at index 2 in the first partition as in the webhook.
    let gone = SignalOutcome::nothing_to_do(Some(fingerprint("gone")), "the alert is resolved");
    let (a, b) = (created(&fingerprint("a")), created(&fingerprint("b")));
    scene.deliver_outcomes(sent[1].token, vec![b.clone()]);
    scene.deliver_outcomes(sent[0].token, vec![gone.clone(), a.clone(), SignalOutcome::rejected_at(2, "no name")]);
    assert_eq!(scene.responded(), (207, vec![gone, a, SignalOutcome::rejected_at(2, "no name"), b]));
}

#[test]
fn an_unusable_alert_is_named_by_its_index_in_the_webhook_not_in_its_partition() {
    let unusable = r#"{"labels":{}}"#.to_owned();
    let mut scene = Scene::of(Config::default(), &[firing("a"), firing("b"), firing("b"), unusable]);
    let sent = scene.host.sent();
    scene.deliver_outcomes(sent[0].token, vec![created(&fingerprint("a")), SignalOutcome::rejected_at(1, "no name")]);
    scene.count(&sent[1]);
    let (_, outcomes) = scene.responded();
    assert_eq!(
        outcomes.iter().map(|outcome| outcome.status).collect::<Vec<_>>(),
        [Status::Created, Status::Created, Status::Rejected]
    );
    assert_eq!((outcomes[2].alert, outcomes[2].message.as_str()), (Some(3), "alerts[3]: no name"));
}

#[test]
fn an_alert_that_only_the_sidecar_rejects_is_named_by_its_index_in_the_webhook() {
    let mut scene = Scene::of(Config::default(), &["b", "a", "a", "b", "a"].map(firing));
    let sent = scene.host.sent();
    scene.count(&sent[0]);
    let rejected = |index| SignalOutcome::rejected_at(index, "it is dated in the future");
    scene.deliver_outcomes(sent[1].token, vec![created(&fingerprint("a")), rejected(1), rejected(2)]);
    let (_, outcomes) = scene.responded();
    let places: Vec<_> = outcomes.iter().map(|outcome| outcome.alert).collect();
    assert_eq!(places, [None, None, Some(2), Some(4)]);
    assert_eq!(outcomes[3].message, "alerts[4]: it is dated in the future");
}

#[test]
fn a_body_in_which_one_incident_fires_passes_through_whole_to_its_owner() {
    for alerts in [
        vec![alert("gone", "resolved"), firing("a"), alert("other", "resolved"), "{}".to_owned()],
        vec![alert("a", "resolved"), alert("b", "resolved"), firing("a")],
    ] {
        let scene = Scene::of(Config::default(), &alerts);
        assert_eq!((scene.host.sent().len(), scene.host.fingerprint()), (0, Some(fingerprint("a"))));
        assert_eq!(scene.host.counted(), [Decision::Fingerprinted]);
    }
}

#[test]
fn a_body_in_which_none_fires_passes_through_whole_to_the_first_ones_owner() {
    let scene = Scene::of(Config::default(), &[alert("a", "resolved"), alert("b", "resolved")]);
    assert_eq!((scene.host.sent().len(), scene.host.fingerprint()), (0, Some(fingerprint("a"))));
}
