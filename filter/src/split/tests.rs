//! Bodies of several incidents, over a proxy made of plain data.

use std::rc::Rc;

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Metadata, SignalOutcome, SignalResponse, Status, merge};
use onceway_signal::{Source, decode};

use crate::fake::{Call, FakeHost, Sent};
use crate::{Action, Config, Decision, Request};

mod ends;
mod limits;

/// A request whose body is there, in a proxy.
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
    decode(Source::Prometheus, body.as_bytes()).unwrap().groups()[0].fingerprint.to_string()
}

/// What an owner answers that created an RR.
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
    /// Sends `alerts` in one body. They are of several incidents, or this is no split.
    fn of(config: Config, alerts: &[String]) -> Scene {
        Scene::over(FakeHost::post(Source::Prometheus.path()), config, alerts)
    }

    fn over(host: FakeHost, config: Config, alerts: &[String]) -> Scene {
        let body = webhook(alerts);
        host.buffer(body.as_bytes());
        let mut request = Request::new(Rc::new(config));
        assert_eq!(request.on_headers(&host, false), Action::Pause);
        request.on_body(&host, body.len(), true);
        Scene { host, request }
    }

    fn reply(&mut self, token: u32, status: &str, body: &str) {
        self.host.reply(&mut self.request, token, &[(":status", status)], body);
    }

    /// Answers a part as the sidecar does that counts its first incident.
    fn count(&mut self, sent: &Sent) {
        let told = created(sent.header(":authority").unwrap());
        self.tell(sent.token, vec![told]);
    }

    /// Answers a part with these outcomes.
    fn tell(&mut self, token: u32, outcomes: Vec<SignalOutcome>) {
        let answer = merge(outcomes);
        let body = String::from_utf8(answer.to_json()).unwrap();
        let retry_after = answer.retry_after_s().map(|seconds| seconds.to_string());
        let status = answer.status().to_string();
        let mut headers = vec![(":status", status.as_str())];
        headers.extend(retry_after.as_deref().map(|seconds| ("retry-after", seconds)));
        self.host.reply(&mut self.request, token, &headers, &body);
    }

    /// Answers whatever is in flight, the oldest first, until nothing is.
    fn count_all(&mut self) {
        while let Some(token) = self.host.pending().first().copied() {
            let sent = self.host.sent().into_iter().find(|sent| sent.token == token).unwrap();
            self.count(&sent);
        }
    }

    /// The status of the answer, and what it tells of each part.
    fn answered(&self) -> (u16, Vec<SignalOutcome>) {
        match self.host.answered().expect("an answer") {
            SignalResponse::One(status, told) => (status, vec![*told]),
            SignalResponse::MultiStatus(several) => (207, several.results),
            SignalResponse::Problem(problem) => {
                (problem.status, problem.multi_status.map(|multi_status| multi_status.results).unwrap_or_default())
            }
        }
    }

    fn problem(&self) -> (ProblemKind, Option<u32>, String) {
        let Some(SignalResponse::Problem(problem)) = self.host.answered() else { panic!("{:?}", self.host.answered()) };
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
    assert_eq!(scene.host.answered(), None);
}

#[test]
fn the_answers_are_merged_in_the_webhooks_order_whatever_comes_first() {
    let mut scene = Scene::of(Config::default(), &["a", "b", "c"].map(firing));
    for sent in scene.host.sent().iter().rev() {
        assert_eq!(scene.host.answered(), None);
        scene.count(sent);
    }
    assert_eq!(scene.host.answered(), Some(merge(["a", "b", "c"].map(|name| created(&fingerprint(name))).to_vec())));
    assert_eq!(scene.answered().0, 207);
    // A proxy that goes on all the same gets nothing upstream, and a reply that comes twice is passed over.
    let first = scene.host.sent()[0].clone();
    scene.count(&first);
    assert_eq!(scene.request.on_body(&scene.host, 1, true), Action::Pause);
    assert_eq!(scene.request.on_trailers(&scene.host), Action::Pause);
    assert_eq!(scene.host.calls(Call::Answer), 1);
}

#[test]
fn no_more_than_so_many_are_in_flight_at_once() {
    let alerts: Vec<String> = (0..60).map(|n| firing(&format!("d{n}"))).collect();
    let config = Config { max_subrequests_in_flight: 7, ..Config::default() };
    let mut scene = Scene::of(config, &alerts);
    for answered in 0..60 {
        let pending = scene.host.pending();
        assert_eq!(pending.len(), 7.min(60 - answered));
        let sent = scene.host.sent().into_iter().find(|sent| sent.token == pending[0]).unwrap();
        scene.count(&sent);
    }
    let (status, told) = scene.answered();
    assert_eq!((status, told.len(), scene.host.sent().len()), (207, 60, 60));
    assert!(told.iter().all(|told| told.status == Status::Created));
}

#[test]
fn trailers_split_a_body_too() {
    let host = FakeHost::post(Source::Prometheus.path());
    let body = webhook(&["a", "b"].map(firing));
    host.buffer(body.as_bytes());
    let mut request = Request::new(Rc::default());
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    assert_eq!(request.on_body(&host, body.len(), false), Action::Pause);
    assert_eq!(request.on_trailers(&host), Action::Pause);
    assert_eq!(host.sent().len(), 2);
}

#[test]
fn only_what_fires_costs_a_sub_request_and_the_rest_rides_with_the_first() {
    let useless = r#"{"status":"firing","labels":{}}"#.to_owned();
    let alerts =
        [alert("gone", "resolved"), firing("a"), useless.clone(), alert("b", "resolved"), firing("b"), firing("a")];
    let mut scene = Scene::of(Config::default(), &alerts);
    let sent = scene.host.sent();
    assert_eq!(sent.len(), 2);
    let own = r#"{"version":"4","status":"firing","receiver":"r","alerts":["#;
    assert_eq!(sent[0].body, format!("{own}{},{},{},{}]}}", alerts[0], alerts[1], useless, alerts[5]));
    assert_eq!(sent[1].body, format!("{own}{},{}]}}", alerts[3], alerts[4]));
    // What the sidecar says of the first, whose useless alert is the third there and in the webhook alike.
    let gone = SignalOutcome::nothing_to_do(Some(fingerprint("gone")), "the alert is resolved");
    let (a, b) = (created(&fingerprint("a")), created(&fingerprint("b")));
    scene.tell(sent[1].token, vec![b.clone()]);
    scene.tell(sent[0].token, vec![gone.clone(), a.clone(), SignalOutcome::rejected_at(2, "no name")]);
    assert_eq!(scene.answered(), (207, vec![gone, a, SignalOutcome::rejected_at(2, "no name"), b]));
}

#[test]
fn an_alert_of_no_use_is_named_by_its_place_in_the_webhook_and_not_in_its_part() {
    let useless = r#"{"labels":{}}"#.to_owned();
    let mut scene = Scene::of(Config::default(), &[firing("a"), firing("b"), firing("b"), useless]);
    let sent = scene.host.sent();
    scene.tell(sent[0].token, vec![created(&fingerprint("a")), SignalOutcome::rejected_at(1, "no name")]);
    scene.count(&sent[1]);
    let (_, told) = scene.answered();
    assert_eq!(
        told.iter().map(|told| told.status).collect::<Vec<_>>(),
        [Status::Created, Status::Created, Status::Rejected]
    );
    assert_eq!((told[2].alert, told[2].message.as_str()), (Some(3), "alerts[3]: no name"));
}

#[test]
fn a_body_in_which_one_incident_fires_goes_whole_to_that_ones_owner() {
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
fn a_body_in_which_nothing_fires_goes_whole_to_the_first_ones_owner() {
    let scene = Scene::of(Config::default(), &[alert("a", "resolved"), alert("b", "resolved")]);
    assert_eq!((scene.host.sent().len(), scene.host.fingerprint()), (0, Some(fingerprint("a"))));
}
