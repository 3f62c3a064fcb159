//! Traces, received by a collector of the test's own: from a sender's span through Envoy to the calls to the API server.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use http::Request;
use onceway_kit::client::ClientResponse;
use onceway_kit::collector::{Collector, Span};
use onceway_kit::envoy::at;
use onceway_kit::fault_proxy::{Fault, RR_STATUS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};
use tokio::time::Instant;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENDER: &str = "00f067aa0ba902b7";

/// Sends a webhook of this trace and span, sampled or not.
async fn send(rig: &Rig, url: &str, webhook: String, traceparent: Option<String>) -> Result<ClientResponse> {
    let mut request =
        Request::post(format!("{url}{}", Source::Prometheus.path())).header("content-type", "application/json");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    rig.client().send(request, webhook).await
}

fn config(collector: &Collector, sampling: f64) -> Value {
    json!({ "tracing": { "otlp": { "endpoint": collector.url(), "timeout": "1s" }, "sampling": sampling } })
}

/// The only span of the sidecars that `is` one.
fn only(spans: &[Span], is: impl Fn(&Span) -> bool) -> Option<&Span> {
    let mut found = spans.iter().filter(|span| span.service == "onceway" && is(span));
    let first = found.next()?;
    assert!(found.next().is_none(), "{spans:#?}");
    Some(first)
}

fn is_batch(span: &Span) -> bool {
    span.name == "commit a batch"
}

/// Has Envoy make spans of its own, and send them to the collector.
fn trace_envoy(config: &mut Value, collector: &Collector) {
    const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let address = json!({ "address": collector.addr().ip(), "port_value": collector.addr().port() });
    at(config, MANAGER)["tracing"] = json!({
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": "envoy",
                "http_service": { "http_uri": {
                    "uri": format!("{}/v1/traces", collector.url()), "cluster": "collector", "timeout": "2s",
                } },
            },
        },
    });
    let clusters = at(config, "/static_resources/clusters");
    let collector = json!({
        "name": "collector", "type": "STATIC",
        "load_assignment": { "cluster_name": "collector", "endpoints": [
            { "lb_endpoints": [{ "endpoint": { "address": { "socket_address": address } } }] },
        ] },
    });
    clusters.as_array_mut().expect("a list").push(collector);
}

#[tokio::test]
async fn a_request_is_one_trace_from_its_sender_through_envoy_to_the_calls_to_the_api_server() -> Result<()> {
    let collector = std::sync::Arc::new(Collector::start().await?);
    let of_envoy = std::sync::Arc::clone(&collector);
    let rig = Rig::replicas(2).config(config(&collector, 0.0)).with_long_timeouts();
    let rig = rig.with_envoy_edited(move |envoy| trace_envoy(envoy, &of_envoy)).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let traceparent = format!("00-{TRACE}-{SENDER}-01");
    let response = send(&rig, &rig.envoy().url(), incident.webhook(0), Some(traceparent)).await?;
    assert_eq!(response.status, 201, "{}", response.text());

    // The request's span ends last, and Envoy exports when it likes.
    let path = Source::Prometheus.path();
    let spans = collector
        .until("the spans of Envoy and of the sidecar", |spans| {
            let has = |service: &str, is: &dyn Fn(&Span) -> bool| spans.iter().any(|s| s.service == service && is(s));
            let is_complete =
                has("envoy", &|span| span.parent_id == SENDER) && has("onceway", &|span| span.name == path);
            is_complete.then(|| spans.to_vec())
        })
        .await?;
    let request = only(&spans, |span| span.name == path).context("a request")?;
    let (mut parent, mut hops) = (request.parent_id.clone(), 0);
    while parent != SENDER {
        let span =
            spans.iter().find(|span| span.id == parent).with_context(|| format!("no span {parent} in {spans:#?}"))?;
        assert_eq!(span.service, "envoy", "{span:#?}");
        (parent, hops) = (span.parent_id.clone(), hops + 1);
    }
    assert!(hops >= 1, "Envoy is between sender and sidecar");
    assert_eq!(request.attributes["http.response.status_code"], "201");
    assert_eq!(request.attributes["onceway.request_id"], response.header("x-request-id").context("an id")?);

    let batch = only(&spans, is_batch).context("a batch")?;
    assert_eq!((&batch.parent_id, &batch.links), (&request.id, &vec![request.id.clone()]));
    assert_eq!(batch.attributes["onceway.fingerprint"], incident.fingerprint().to_string());
    let rr = rig.rrs_of(&incident).await?.swap_remove(0);
    assert_eq!(batch.attributes["onceway.rr"], rr.name());
    let calls: Vec<&str> = spans.iter().filter(|s| s.parent_id == batch.id).map(|s| s.name.as_str()).collect();
    for call in ["create leases", "create remediationrequests", "patch remediationrequests/status"] {
        assert_eq!(calls.iter().filter(|made| **made == call).count(), 1, "{calls:?}");
    }
    assert!(spans.iter().all(|span| span.trace_id == TRACE && !span.failed), "{spans:#?}");
    let log = std::fs::read_to_string(rig.sidecar(0).service().process()?.log())?
        + &std::fs::read_to_string(rig.sidecar(1).service().process()?.log())?;
    assert!(log.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{log}");
    Ok(())
}

#[tokio::test]
async fn the_sub_requests_of_a_split_webhook_are_in_the_senders_trace() -> Result<()> {
    let collector = Collector::start().await?;
    let rig = Rig::replicas(3).config(config(&collector, 0.0)).with_long_timeouts().with_envoy().start().await?;
    let incidents = Incident::several("prod", 5);
    let alerts: Vec<_> = incidents.iter().map(|incident| incident.alert(0)).collect();
    let traceparent = format!("00-{TRACE}-{SENDER}-01");
    let webhook = onceway_kit::payload::webhook(&alerts);
    assert_eq!(send(&rig, &rig.envoy().url(), webhook, Some(traceparent)).await?.status, 207);
    let spans = collector
        .until("a request and a batch for each incident", |spans| {
            let count = |is: &dyn Fn(&&Span) -> bool| spans.iter().filter(is).count();
            let is_request = |span: &&Span| span.name == Source::Prometheus.path();
            (count(&is_request) == 5 && count(&|span| is_batch(span)) == 5).then(|| spans.to_vec())
        })
        .await?;
    assert!(spans.iter().all(|span| span.trace_id == TRACE), "{spans:#?}");
    Ok(())
}

#[tokio::test]
async fn a_batch_links_to_all_requests_whose_signals_it_counts() -> Result<()> {
    const REQUESTS: usize = 5;
    let collector = Collector::start().await?;
    let rig = Rig::replicas(1).config(config(&collector, 0.0)).with_long_timeouts().start().await?;
    let (incident, url) = (Incident::new("prod", "payment-api"), rig.sidecar(0).url());
    assert_eq!(send(&rig, &url, incident.webhook(0), None).await?.status, 201);
    // Those that arrive while a count is in flight are counted together by the next one.
    let hold = rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS).once(), Fault::Hold);
    let traceparent = |n: usize| Some(format!("00-{n:032x}-{n:016x}-01"));
    let first = send(&rig, &url, incident.webhook(1), traceparent(1));
    let others = async {
        hold.reached().await;
        let others =
            try_join_all((2..2 + REQUESTS).map(|n| send(&rig, &url, incident.webhook(n as u64), traceparent(n))));
        let released = async {
            let queued = REQUESTS as f64;
            rig.sidecar(0).until_metric("gateway_queue_depth", move |depth| depth >= queued).await?;
            hold.release();
            Ok(())
        };
        tokio::try_join!(others, released).map(|(others, ())| others)
    };
    let (first, others) = tokio::try_join!(first, others)?;
    assert!(others.iter().chain([&first]).all(|response| response.status == 202));
    let spans = collector
        .until("all spans", |spans| {
            let requests = spans.iter().filter(|span| span.name == Source::Prometheus.path()).count();
            (requests == 1 + REQUESTS).then(|| spans.to_vec())
        })
        .await?;
    let mut links: Vec<usize> = spans.iter().filter(|span| is_batch(span)).map(|span| span.links.len()).collect();
    links.sort_unstable();
    assert_eq!(links, [1, REQUESTS], "{spans:#?}");
    let batch = spans.iter().find(|span| is_batch(span) && span.links.len() == REQUESTS).context("the second batch")?;
    assert_eq!(batch.parent_id, batch.links[0]);
    for link in &batch.links {
        assert!(spans.iter().any(|span| span.id == *link && span.name == Source::Prometheus.path()), "{link}");
    }
    Ok(())
}

#[tokio::test]
async fn a_traceparent_decides_whether_it_is_sampled_and_without_one_the_ratio_does() -> Result<()> {
    let collector = Collector::start().await?;
    let rig = Rig::replicas(2).config(config(&collector, 0.0)).start().await?;
    // The second replica traces what has no traceparent.
    rig.sidecar(1).reconfigure(|config| config["tracing"]["sampling"] = json!(1.0))?;
    rig.sidecar(1).roll(Duration::from_secs(60)).await?;
    let all = Incident::several("prod", 4);
    let of = |replica: usize, n: usize, traceparent| {
        let (rig, url, webhook) = (&rig, rig.sidecar(replica).url(), all[n].webhook(0));
        async move {
            anyhow::ensure!(send(rig, &url, webhook, traceparent).await?.status == 201);
            Ok(())
        }
    };
    of(0, 0, None).await?;
    of(1, 1, Some(format!("00-{TRACE}-{SENDER}-00"))).await?;
    of(0, 2, Some(format!("00-{TRACE}-{SENDER}-01"))).await?;
    of(1, 3, None).await?;
    let spans = collector
        .until("two requests", |spans| {
            (spans.iter().filter(|span| span.name == Source::Prometheus.path()).count() == 2).then(|| spans.to_vec())
        })
        .await?;
    let fingerprints: Vec<&String> =
        spans.iter().filter(|span| is_batch(span)).map(|span| &span.attributes["onceway.fingerprint"]).collect();
    let expected = [all[2].fingerprint().to_string(), all[3].fingerprint().to_string()];
    assert!(fingerprints.len() == 2 && expected.iter().all(|one| fingerprints.contains(&one)), "{spans:#?}");
    Ok(())
}

#[tokio::test]
async fn a_stranger_decides_nothing_about_traces() -> Result<()> {
    let collector = Collector::start().await?;
    let rig = Rig::replicas(1).config(config(&collector, 0.0)).with_auth().with_long_timeouts().start().await?;
    let sender = rig.namespace().sender("alertmanager").await?;
    sender.permit_everything().await?;
    let (url, token) = (rig.sidecar(0).url(), sender.token().await?);
    let incident = Incident::new("prod", "payment-api");
    let send = async |n: usize, token: &str| {
        let request = Request::post(format!("{url}{}", Source::Prometheus.path()))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .header("traceparent", format!("00-{n:032x}-{SENDER}-01"))
            .header("tracestate", "vendor=anything");
        anyhow::Ok(rig.client().send(request, incident.webhook(0)).await?.status)
    };
    for n in 1..=20 {
        assert_eq!(send(n, "nobody").await?, 401);
    }
    assert_eq!(send(21, &token).await?, 201);
    let is_request = |span: &&Span| span.name == Source::Prometheus.path();
    let spans = collector
        .until("the sender's request", |spans| spans.iter().any(|span| is_request(&span)).then(|| spans.to_vec()))
        .await?;
    let requests: Vec<&str> = spans.iter().filter(is_request).map(|span| span.trace_id.as_str()).collect();
    assert_eq!(requests, [format!("{:032x}", 21)]);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_hangs_delays_no_signal_and_its_lost_spans_are_counted() -> Result<()> {
    let collector = Collector::start().await?;
    collector.hang();
    let rig = Rig::replicas(1).config(config(&collector, 1.0)).with_long_timeouts().start().await?;
    let sidecar = rig.sidecar(0);
    let began = Instant::now();
    let storm = rig.storm(vec![Incident::new("prod", "payment-api")]).signals(2000).concurrency(50);
    let report = storm.max_attempts(1).run().await;
    assert_eq!((report.total().acknowledged, report.total().given_up), (2000, 0));
    println!("2000 signals in {:?} with a collector that hangs", began.elapsed());
    sidecar.until_metric("gateway_trace_spans_total", |lost| lost > 0.0).await?;
    let scrape = sidecar.scrape().await?;
    assert_eq!(scrape.sum("gateway_trace_spans_total", &[("result", "exported")]), 0.0, "{}", scrape.text());
    let log = std::fs::read_to_string(sidecar.service().process()?.log())?;
    assert_eq!(log.matches("\"event\":\"export_failing\"").count(), 1, "{log}");
    Ok(())
}
