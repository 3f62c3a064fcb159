//! What the metrics say of signals and requests, by their response.

use onceway::config::Limits;
use onceway::incident::SubmitError;
use onceway::metrics::Metrics;
use onceway_signal::Source;
use serde_json::json;

use super::{Rig, Script, fingerprint, firing, post, resolved, webhook};

const ACKNOWLEDGED: &str = "gateway_signals_acknowledged_total{source_type=\"prometheus\"}";

/// Whether no signal has failed.
fn is_unfailed(text: &str) -> bool {
    let failed: Vec<&str> = text.lines().filter(|line| line.starts_with("gateway_signals_failed_total{")).collect();
    !failed.is_empty() && failed.iter().all(|line| line.ends_with(" 0"))
}

#[tokio::test]
async fn the_counted_signals_of_a_2xx_are_acknowledged_and_resolved_or_rejected_ones_are_not() {
    let rig = Rig::new();
    let nameless = json!({"status": "firing", "labels": {}});
    assert_eq!(rig.post(&[firing("a"), firing("a"), firing("b"), resolved("c"), nameless]).await.status, 207);
    assert!(rig.metric(&format!("{ACKNOWLEDGED} 3")), "{}", rig.metrics.render().unwrap());
    assert!(is_unfailed(&rig.metrics.render().unwrap()));
}

#[tokio::test]
async fn all_signals_of_a_5xx_failed_the_counted_ones_too_by_the_kind_of_its_problem() {
    let rig = Rig::new();
    let slow = SubmitError::deadline(Limits::default().deadline, "the API server is slow");
    rig.ledger.script(fingerprint("b"), Script::Fail(slow));
    let got = rig.post(&[firing("a"), firing("b"), firing("b")]).await;
    got.problem(503, "deadline-exceeded");
    assert!(rig.metric("gateway_signals_failed_total{problem=\"deadline-exceeded\"} 3"));
    assert!(rig.metric("gateway_http_problems_total{kind=\"deadline-exceeded\",status=\"503\"} 1"));
    assert!(rig.metric(&format!("{ACKNOWLEDGED} 0")));
}

#[tokio::test]
async fn the_rejected_signals_of_a_4xx_are_neither_and_the_problem_is_counted() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("a"), Script::Fail(SubmitError::Denied { cause: "a policy".to_owned() }));
    rig.post(&[firing("a")]).await.problem(403, "forbidden");
    let request = post(Source::Prometheus).body("{".into()).unwrap();
    rig.send(request).await.problem(400, "malformed-payload");
    let text = rig.metrics.render().unwrap();
    assert!(is_unfailed(&text) && rig.metric(&format!("{ACKNOWLEDGED} 0")), "{text}");
    assert!(rig.metric("gateway_http_problems_total{kind=\"forbidden\",status=\"403\"} 1"));
    assert!(rig.metric("gateway_http_problems_total{kind=\"malformed-payload\",status=\"400\"} 1"));
}

/// What a sender can choose of a request does not make a time series.
#[tokio::test]
async fn a_hostile_sender_makes_a_bounded_number_of_time_series() {
    let rig = Rig::new();
    for round in 0..40 {
        let alerts: Vec<_> = (0..50)
            .map(|n| {
                let mut alert = firing(&format!("web-{round}-{n}"));
                alert["labels"]["alertname"] = json!(format!("Name{round}x{n}"));
                alert["labels"]["severity"] = json!(format!("severity-{round}-{n}"));
                alert
            })
            .collect();
        assert_eq!(rig.post(&alerts).await.status, 207);
        let request = http::Request::builder().method(format!("M{round}").as_str()).uri(format!("/x{round}"));
        rig.send(request.body(webhook(&[]).into()).unwrap()).await;
    }
    let (text, fresh) = (rig.metrics.render().unwrap(), Metrics::new().render().unwrap());
    let of = |text: &str, name: &str| text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count();
    let series = |name: &str| of(&text, name);
    assert_eq!(series("gateway_signals_received_total"), 21, "20 severities, and other");
    assert_eq!(series("gateway_http_problems_total"), of(&fresh, "gateway_http_problems_total"));
    assert_eq!(series("gateway_http_request_duration_seconds_count"), 2);
    assert!(text.lines().filter(|line| !line.starts_with('#')).count() < 700, "{text}");
}
