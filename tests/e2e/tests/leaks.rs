//! What leaves a replica: errors to senders name nothing of the cluster, log lines name everything, and a flood of errors
//! is no flood of log lines.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use http::{Request, StatusCode};
use jiff::Timestamp;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::poll::until;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::{Value, json};
use tokio::time::Instant;

const BAD_REQUESTS: usize = 4000;
const SENDERS: usize = 32;
/// How long the log may take to have everything: a summary is written every two seconds.
const LOG_LIMIT: Duration = Duration::from_secs(30);

/// The log lines of the first replica.
fn log(rig: &Rig) -> Result<Vec<Value>> {
    let text = fs::read_to_string(rig.dir().join("onceway-0.log"))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Waits until the log is as wanted.
async fn until_logged<T>(rig: &Rig, what: &str, wanted: impl Fn(&[Value]) -> Option<T>) -> Result<T> {
    let found = until(LOG_LIMIT, what, async || Ok(wanted(&log(rig)?))).await;
    found.with_context(|| format!("the log: {:#?}", log(rig).unwrap_or_default()))
}

#[tokio::test]
async fn no_error_of_the_api_server_reaches_a_sender_and_the_log_has_it() -> Result<()> {
    // Short: what is retried is retried until the deadline.
    let config = json!({"limits": {"deadline": "2s", "apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).config(config).start().await?;
    let path = [(Verb::Create, LEASES), (Verb::Create, RRS), (Verb::Patch, RR_STATUS)];
    for (place, (verb, resource)) in path.into_iter().enumerate() {
        for status in [StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::INTERNAL_SERVER_ERROR] {
            let rule = rig.proxy(0).rule(Rule::on(verb, resource), Fault::Respond(status));
            let incident = Incident::new("prod", &format!("web-{place}-{}", status.as_u16()));
            let response = rig.alert(0, &incident, 0).await?;
            rule.release();
            assert_eq!(response.status, 503, "{}", response.text());
            let text = response.text().to_lowercase();
            let namespace = rig.namespace().name();
            for secret in ["injected", "forbidden", "invalid", "internalerror", "lease", "api server", namespace] {
                assert!(!text.contains(secret), "{secret:?} at {verb:?} {resource}: {text}");
            }
            until_logged(&rig, "the cause", |lines| {
                let fingerprint = incident.fingerprint().to_string();
                lines
                    .iter()
                    .any(|line| {
                        line["fingerprint"] == fingerprint.as_str()
                            && line["cause"].as_str().is_some_and(|cause| cause.contains("injected by the fault proxy"))
                    })
                    .then_some(())
            })
            .await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn log_lines_about_an_incident_name_the_request_the_trace_and_the_target() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let incident = Incident::new("prod", "web");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Request::post(format!("{}{}", rig.sidecar(0).url(), Source::Prometheus.path()))
        .header("content-type", "application/json")
        .header("x-request-id", "request-7")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let response = rig.client().send(request, incident.webhook(0)).await?;
    assert_eq!((response.status.as_u16(), response.header("x-request-id")), (201, Some("request-7")));
    let line = until_logged(&rig, "the creation", |lines| {
        lines.iter().find(|line| line["message"] == "created a RemediationRequest").cloned()
    })
    .await?;
    assert_eq!(line["signal_target"], "prod:Deployment:web", "{line:#}");
    assert_eq!(line["fingerprint"], incident.fingerprint().to_string(), "{line:#}");
    let span = &line["span"];
    assert_eq!((&span["request_id"], &span["trace_id"]), (&"request-7".into(), &trace.into()), "{line:#}");
    assert_eq!(span["path"], Source::Prometheus.path(), "{line:#}");
    Ok(())
}

#[tokio::test]
async fn four_thousand_bad_requests_leave_ten_log_lines_a_second_at_most_and_the_number_of_the_others() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let started = Instant::now();
    let sender = async || -> Result<()> {
        for _ in 0..BAD_REQUESTS / SENDERS {
            let response = rig.client().signal(&rig.sidecar(0).url(), Source::Prometheus, "{").await?;
            assert_eq!(response.status, 400);
        }
        Ok(())
    };
    try_join_all((0..SENDERS).map(|_| sender())).await?;
    println!("{BAD_REQUESTS} bad requests in {:?}", started.elapsed());
    let is_single = |line: &&Value| line["message"] == "request rejected";
    let is_summary = |line: &&Value| line["of"] == "request rejected";
    let lines = until_logged(&rig, "every bad request, alone or in a summary", |lines| {
        let single = lines.iter().filter(is_single).count() as u64;
        let suppressed: u64 = lines.iter().filter(is_summary).filter_map(|line| line["suppressed"].as_u64()).sum();
        (single + suppressed == BAD_REQUESTS as u64).then(|| lines.to_vec())
    })
    .await?;
    let mut times: Vec<i128> = Vec::new();
    for line in lines.iter().filter(|line| is_single(line) || is_summary(line)) {
        let time: Timestamp = line["timestamp"].as_str().context("a time")?.parse()?;
        times.push(time.as_nanosecond());
    }
    let in_a_second = |from: i128| times.iter().filter(|time| (from..from + 1_000_000_000).contains(*time)).count();
    let most = times.iter().map(|&from| in_a_second(from)).max().unwrap_or(0);
    assert!((5..=10).contains(&most), "{most} lines in a second");
    let by_message = lines.iter().fold(BTreeMap::<String, usize>::new(), |mut all, line| {
        *all.entry(line["message"].to_string()).or_default() += 1;
        all
    });
    println!("{} lines: {by_message:?}", times.len());
    Ok(())
}
