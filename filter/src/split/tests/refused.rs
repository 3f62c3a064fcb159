//! A sender that a replica refuses.

use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::{SignalOutcome, SignalResponse, Status};

use super::{Scene, fingerprint, firing};
use crate::Config;

const DENIED: &str = "the sender may not signal about namespace \"prod\"";

/// Two partitions in flight.
fn two() -> Scene {
    Scene::of(Config::default(), &[firing("a"), firing("b")])
}

fn denied(fingerprint: &str) -> Vec<SignalOutcome> {
    vec![SignalOutcome::denied(Some(fingerprint.to_owned()), ProblemKind::Forbidden, DENIED.to_owned())]
}

#[test]
fn a_401_of_every_replica_is_the_senders_401() {
    let mut scene = two();
    let problem = Problem::new(ProblemKind::Unauthenticated, "the token is not valid");
    let body = String::from_utf8(SignalResponse::from(problem.clone()).to_json()).unwrap();
    for sent in scene.host.sent() {
        scene.deliver(sent.token, "401", &body);
    }
    let response = scene.host.response().unwrap();
    let instance = Some("/api/v1/signals/prometheus");
    assert_eq!(response, SignalResponse::from(Problem { instance, ..problem }), "as of one replica");
    assert_eq!(response.www_authenticate(), Some("Bearer"));
}

#[test]
fn a_403_of_one_replica_rejects_its_incident_alone() {
    let mut scene = two();
    let [first, second] = <[_; 2]>::try_from(scene.host.sent()).unwrap_or_else(|sent| panic!("{}", sent.len()));
    scene.deliver_outcomes(first.token, denied(&fingerprint("a")));
    scene.count(&second);
    let (status, outcomes) = scene.responded();
    assert_eq!((status, outcomes[0].status, outcomes[1].status), (207, Status::Rejected, Status::Created));
    assert_eq!((outcomes[0].message.as_str(), outcomes[0].denial), (DENIED, Some(ProblemKind::Forbidden)));
    assert_eq!(outcomes[0].fingerprint, Some(fingerprint("a")));
}

#[test]
fn a_403_of_every_replica_is_a_403_that_names_each_incident() {
    let mut scene = two();
    for (sent, name) in scene.host.sent().iter().zip(["a", "b"]) {
        scene.deliver_outcomes(sent.token, denied(&fingerprint(name)));
    }
    let (status, outcomes) = scene.responded();
    assert_eq!((status, outcomes.len()), (403, 2));
}

#[test]
fn a_denial_beside_a_replica_that_cannot_decide_is_sent_again() {
    let mut scene = two();
    let sent = scene.host.sent();
    scene.deliver_outcomes(sent[0].token, denied(&fingerprint("a")));
    let problem = SignalResponse::from(Problem::new(ProblemKind::AuthUnavailable, "not checked"));
    scene.deliver(sent[1].token, "503", &String::from_utf8(problem.to_json()).unwrap());
    assert_eq!(scene.responded().0, 503);
}

#[test]
fn a_401_of_a_proxy_in_between_is_a_401_too() {
    let mut scene = two();
    for sent in scene.host.sent() {
        scene.deliver(sent.token, "401", "Jwt is expired");
    }
    assert_eq!(scene.responded().0, 401);
}
