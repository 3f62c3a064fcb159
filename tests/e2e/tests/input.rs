//! Signals that are rejected for what they are about or when they are dated: through Envoy with the filter and directly,
//! without an API call.

use anyhow::Result;
use jiff::{Timestamp, ToSpan};
use onceway_kit::envoy::configure_filter;
use onceway_kit::payload::{Alert, Incident, event, webhook};
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::calls::calls_for_signals;

fn targets() -> Value {
    json!({"clusters": ["east-1"], "denyNamespaces": ["kube-system", "openshift-*"]})
}

/// Two replicas and Envoy, with one document of target rules for the filter and the sidecars.
async fn rig() -> Result<Rig> {
    let edit = |config: &mut Value| configure_filter(config, &json!({"targets": targets()}));
    Rig::replicas(2).with_envoy_edited(edit).config(json!({"targets": targets()})).start().await
}

fn ways(rig: &Rig) -> [String; 2] {
    [rig.envoy().url(), rig.sidecar(0).url()]
}

/// The event with this time and this change of its object.
fn event_at(time: Timestamp, change: impl FnOnce(&mut Value)) -> String {
    let mut event: Value = serde_json::from_str(&event("Deployment", "prod", "api", "FailedCreate")).unwrap();
    event["lastTimestamp"] = json!(time);
    change(&mut event["involvedObject"]);
    event.to_string()
}

#[tokio::test]
async fn what_nobody_may_signal_about_is_rejected_with_a_reason_and_no_api_call() -> Result<()> {
    let rig = rig().await?;
    let now = Timestamp::now();
    let about = |namespace: &str| Incident::new(namespace, "coredns").alert(0);
    let cases = [
        (Source::Prometheus, webhook(&[about("kube-system")]), "the namespace \"kube-system\""),
        (Source::Prometheus, webhook(&[about("openshift-dns")]), "the namespace \"openshift-dns\""),
        (Source::Prometheus, webhook(&[about("prod").label("cluster", "East-1")]), "the cluster \"East-1\""),
        (Source::Prometheus, webhook(&[about("prod").beginning(now + 10.minutes())]), "ahead"),
        (Source::KubernetesEvent, event_at(now - 2.hours(), |_| {}), "more than 3600s ago"),
        (Source::KubernetesEvent, event_at(now + 10.minutes(), |_| {}), "ahead"),
        (Source::KubernetesEvent, event_at(now, |object| object["name"] = json!("../x")), "involvedObject.name"),
        (
            Source::KubernetesEvent,
            event_at(now, |object| object["namespace"] = json!("Prod")),
            "involvedObject.namespace",
        ),
        (Source::KubernetesEvent, event_at(now, |object| object["kind"] = json!("Pod exec")), "involvedObject.kind"),
        (Source::KubernetesEvent, event_at(now, |object| object["namespace"] = json!("kube-system")), "the namespace"),
    ];
    let before = calls_for_signals(&rig);
    for base in ways(&rig) {
        for (source, body, reason) in &cases {
            let response = rig.client().signal(&base, *source, body.clone()).await?;
            assert_eq!(response.status, 400, "{reason}: {}", response.text());
            assert!(response.json()["detail"].as_str().unwrap_or_default().contains(reason), "{}", response.text());
        }
    }
    assert_eq!(calls_for_signals(&rig), before, "{}", rig.record().text());
    assert!(rig.rrs().await?.is_empty());
    for sidecar in rig.sidecars() {
        let mismatches = sidecar.scrape().await?.sum("gateway_fingerprint_mismatches_total", &[]);
        assert!(mismatches < 0.5, "the filter does not reject: {mismatches}");
    }
    Ok(())
}

#[tokio::test]
async fn of_a_webhook_that_is_split_the_rejected_alerts_are_named_and_the_others_counted() -> Result<()> {
    let rig = rig().await?;
    let (web, shop) = (Incident::new("prod", "web"), Incident::new("prod", "shop"));
    let late = |incident: &Incident, n| incident.alert(n).beginning(Timestamp::now() + 10.minutes());
    let alerts = [
        Incident::new("kube-system", "coredns").alert(0),
        web.alert(0),
        late(&web, 1),
        shop.alert(0),
        web.alert(2),
        Alert::firing("").label("namespace", "prod"),
        late(&shop, 1),
        late(&Incident::new("prod", "soon"), 1),
    ];
    let expected = [
        ("rejected", Value::Null),
        ("created", Value::Null),
        ("rejected", json!(2)),
        ("created", Value::Null),
        ("rejected", json!(5)),
        ("rejected", json!(6)),
        ("rejected", json!(7)),
    ];
    for (base, created) in ways(&rig).into_iter().zip(["created", "duplicate"]) {
        let response = rig.client().signal(&base, Source::Prometheus, webhook(&alerts)).await?;
        assert_eq!(response.status, 207, "{}", response.text());
        let body = response.json();
        let results = body["results"].as_array().cloned().unwrap_or_default();
        let found: Vec<(String, Value)> = results
            .iter()
            .map(|result| {
                (result["status"].as_str().unwrap_or_default().replace(created, "created"), result["alert"].clone())
            })
            .collect();
        assert_eq!(found, expected.clone().map(|(status, alert)| (status.to_owned(), alert)), "{base} {body:#}");
    }
    for (incident, count) in [(&web, 4), (&shop, 2)] {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, count), "{}", incident.deployment());
    }
    assert_eq!(rig.rrs().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_alert_that_has_fired_for_a_year_is_counted() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let body = webhook(&[Incident::new("prod", "web").alert(0).beginning(Timestamp::now() - 8760.hours())]);
    let response = rig.client().signal(&rig.sidecar(0).url(), Source::Prometheus, body).await?;
    assert_eq!(response.status, 201, "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn a_replayed_request_is_rejected_by_its_timestamp_whether_it_is_split_or_not() -> Result<()> {
    let rig = rig().await?;
    let incidents = Incident::several("prod", 2);
    let one = incidents[0].webhook(0);
    let several = webhook(&[incidents[0].alert(0), incidents[1].alert(0)]);
    for base in ways(&rig) {
        for (body, minutes, accepted) in
            [(&one, 10, false), (&several, 10, false), (&one, 1, true), (&several, 1, true)]
        {
            let sent = (Timestamp::now() - minutes.minutes()).to_string();
            let request = http::Request::post(format!("{base}{}", Source::Prometheus.path()));
            let request = request.header("content-type", "application/json").header("X-Timestamp", &sent);
            let response = rig.client().send(request, body.clone()).await?;
            assert_eq!(response.status.is_success(), accepted, "{}", response.text());
            assert!(
                accepted || response.status == 400 && response.text().contains("X-Timestamp"),
                "{}",
                response.text()
            );
        }
    }
    Ok(())
}
