//! Usable signals that are rejected all the same: out of scope, or with a date that cannot be right.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use onceway::config::{Events, Freshness, Limits, NormalEvents};
use onceway::http::policy::Policy;
use onceway::incident::SubmitError;
use onceway_signal::Source;
use onceway_signal::response::{Status, TargetRejection};
use onceway_signal::rules::Rules;
use serde_json::{Value, json};

use super::{Got, Rig, Script, fingerprint, firing, post, resolved};

fn scoped(document: Value) -> Rig {
    let rules: Rules = serde_json::from_value(document).unwrap();
    Rig::with_policy(Limits::default(), Policy::new(rules.into(), Events::default(), Freshness::default()))
}

/// A firing alert about the Deployment `web`.
fn about(namespace: &str, cluster: Option<&str>) -> Value {
    let mut alert = firing("web");
    alert["labels"]["namespace"] = json!(namespace);
    if let Some(cluster) = cluster {
        alert["labels"]["cluster"] = json!(cluster);
    }
    alert
}

fn dated(deployment: &str, starts_at: Timestamp) -> Value {
    let mut alert = firing(deployment);
    alert["startsAt"] = json!(starts_at);
    alert
}

async fn event(rig: &Rig, last_timestamp: Value) -> Got {
    let event = json!({"type": "Warning", "reason": "BackOff", "lastTimestamp": last_timestamp,
        "involvedObject": {"kind": "Deployment", "name": "api", "namespace": "prod", "apiVersion": "apps/v1"}});
    rig.send(post(Source::KubernetesEvent).body(event.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn a_cluster_that_is_spelled_in_four_ways_makes_no_rr_of_its_own() {
    let rig = scoped(json!({"clusters": ["east-1"]}));
    assert_eq!(rig.post(&[about("prod", Some("east-1"))]).await.status, 201);
    for spelling in ["East-1", "east-1 ", "east-1.", "EAST-1"] {
        let got = rig.post(&[about("prod", Some(spelling))]).await;
        let detail = got.problem(400, "unusable-signals");
        assert_eq!(
            detail,
            format!(
                "signals about the cluster {spelling:?} are not accepted here; send the cluster's name as it is configured"
            )
        );
    }
    assert_eq!(rig.ledger.specs().len(), 1);
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"cluster\"} 4"));
}

#[tokio::test]
async fn the_cluster_of_the_path_is_checked_too() {
    let rig = scoped(json!({"clusters": ["east-1"]}));
    for (cluster, status) in [("east-1", 201), ("west-1", 400)] {
        let path = format!("{}?cluster={cluster}", Source::Prometheus.path());
        let request = http::Request::post(path).header("content-type", "application/json");
        let body = super::webhook(&[firing("web")]);
        assert_eq!(rig.send(request.body(body.into()).unwrap()).await.status, status, "{cluster}");
    }
}

#[tokio::test]
async fn of_several_incidents_those_in_a_denied_namespace_are_rejected_and_the_others_counted() {
    let rig = scoped(json!({"denyNamespaces": ["kube-system", "openshift-*"]}));
    let alerts =
        [about("kube-system", None), about("prod", None), about("kube-system", None), about("openshift-etcd", None)];
    let got = rig.post(&alerts).await;
    assert_eq!(got.status, 207, "{got:?}");
    let results = got.body["results"].as_array().unwrap();
    let statuses: Vec<&Value> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["rejected", "created", "rejected"], "one outcome per incident");
    assert!(results[0]["fingerprint"].is_string());
    let message = "signals about the namespace \"kube-system\" are not accepted here; stop sending them";
    assert_eq!(results[0]["message"], message);
    assert_eq!(got.body["summary"], json!({"total": 3, "created": 1, "deduplicated": 0, "rejected": 2, "failed": 0}));
    assert_eq!(rig.ledger.total(), 1);
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"namespace\"} 3"));
}

#[tokio::test]
async fn a_resolved_alert_of_a_denied_namespace_is_nothing_to_do() {
    let rig = scoped(json!({"denyNamespaces": ["prod"]}));
    assert_eq!(rig.post(&[resolved("web")]).await.status, 200);
    assert_eq!(rig.post(&[firing("web")]).await.status, 400);
}

#[tokio::test]
async fn an_old_event_is_rejected_and_an_old_alert_is_not() {
    let rig = Rig::new();
    let now = Timestamp::now();
    assert_eq!(event(&rig, json!(now - 59.minutes())).await.status, 201);
    let got = event(&rig, json!(now - 61.minutes())).await;
    assert!(
        got.problem(400, "unusable-signals").contains("more than 3600s ago; send events as they happen"),
        "{got:?}"
    );
    assert_eq!(event(&rig, json!(null)).await.status, 202);
    assert_eq!(event(&rig, json!("yesterday")).await.status, 202);
    assert_eq!(rig.post(&[dated("old", now - 9000.hours())]).await.status, 201);
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"too_old\"} 1"));
}

#[tokio::test]
async fn a_signal_of_the_future_is_rejected_by_its_index_and_its_incident_goes_on() {
    let rig = Rig::new();
    let now = Timestamp::now();
    event(&rig, json!(now + 6.minutes())).await.problem(400, "unusable-signals");
    let alerts =
        [dated("a", now), dated("a", now + 6.minutes()), dated("a", now + 4.minutes()), dated("b", now + 1.hour())];
    let got = rig.post(&alerts).await;
    assert_eq!(got.status, 207, "{got:?}");
    let results = got.body["results"].as_array().unwrap();
    assert_eq!(
        results.iter().map(|result| (&result["status"], &result["alert"])).collect::<Vec<_>>(),
        [(&json!("created"), &json!(null)), (&json!("rejected"), &json!(1)), (&json!("rejected"), &json!(3))]
    );
    assert!(results[1]["message"].as_str().unwrap().starts_with("alerts[1]: the signal is dated "), "{results:?}");
    assert_eq!((rig.ledger.count(fingerprint("a")), rig.ledger.count(fingerprint("b"))), (2, 0));
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"ahead\"} 3"));
}

#[tokio::test]
async fn a_stale_request_is_rejected_where_it_says_when_it_was_sent() {
    let rig = Rig::new();
    let send = |timestamp: String| {
        let request = post(Source::Prometheus).header("X-Timestamp", timestamp);
        rig.send(request.body(super::webhook(&[firing("a")]).into()).unwrap())
    };
    let now = Timestamp::now();
    for fresh in [now.to_string(), now.as_second().to_string(), (now - 4.minutes()).to_string()] {
        assert!(matches!(send(fresh).await.status, 201 | 202));
    }
    for stale in [(now - 6.minutes()).to_string(), (now + 6.minutes()).as_second().to_string(), "soon".to_owned()] {
        let got = send(stale.clone()).await;
        assert!(got.problem(400, "invalid-timestamp").contains(&stale), "{got:?}");
    }
    assert_eq!(rig.ledger.total(), 3);
}

#[tokio::test]
async fn events_of_type_normal_are_rejected_if_asked_and_alerts_of_such_a_severity_are_not() {
    let events = Events { normal: NormalEvents::Reject, ..Events::default() };
    let rig = Rig::with_policy(Limits::default(), Policy::new(Arc::default(), events, Freshness::default()));
    let send = |type_: &str, reason: &str, kind: &str| {
        let event = json!({"type": type_, "reason": reason, "involvedObject": {"kind": kind, "name": "api"}});
        rig.send(post(Source::KubernetesEvent).body(event.to_string().into()).unwrap())
    };
    for (reason, kind) in [("Scheduled", "Pod"), ("NodeNotReady", "Node")] {
        let got = send("Normal", reason, kind).await;
        assert!(got.problem(400, "unusable-signals").contains("type Normal"), "{got:?}");
    }
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"normal\"} 2"));
    assert_eq!(send("Warning", "BackOff", "Pod").await.status, 201);
    let mut alert = firing("web");
    alert["labels"]["severity"] = json!("Normal");
    assert_eq!(rig.post(&[alert]).await.status, 201);
}

#[tokio::test]
async fn a_target_that_is_not_remediated_is_rejected_with_200_and_its_neighbours_are_counted() {
    let rig = Rig::new();
    let rejection = TargetRejection {
        status: Status::Rejected,
        reason: "unmanaged_resource".into(),
        message: "prod:Deployment:a is out of scope".into(),
        resource: "prod:Deployment:a".into(),
        action: "label it".into(),
    };
    rig.ledger.script(fingerprint("a"), Script::Fail(SubmitError::Rejected(Box::new(rejection))));
    let got = rig.post(&[firing("a")]).await;
    assert_eq!((got.status, got.content_type.as_str(), got.retry_after), (200, "application/json", None));
    assert_eq!(
        (&got.body["status"], &got.body["fingerprint"]),
        (&json!("rejected"), &json!(fingerprint("a").to_string()))
    );
    assert_eq!(got.body["rejection"]["reason"], "unmanaged_resource");
    let got = rig.post(&[firing("a"), firing("b")]).await;
    assert_eq!((got.status, rig.ledger.count(fingerprint("b"))), (207, 1));
    assert_eq!(got.body["results"][0]["rejection"]["resource"], "prod:Deployment:a");
    assert_eq!(got.body["summary"], json!({"total": 2, "created": 1, "deduplicated": 0, "rejected": 1, "failed": 0}));
}

#[tokio::test]
async fn a_scope_that_cannot_be_decided_is_answered_503_without_its_cause() {
    let rig = Rig::new();
    let cause = "namespace prod: namespaces is forbidden".to_owned();
    rig.ledger.script(fingerprint("a"), Script::Fail(SubmitError::Undecided { cause }));
    let got = rig.post(&[firing("a")]).await;
    let detail = got.problem(503, "refused");
    assert!(detail.contains("send the signal again") && !detail.contains("forbidden"), "{detail}");
}
