//! Webhooks of several incidents, in real Envoy: each incident's sub-request reaches its owner, and the response covers
//! all.

use std::time::Duration;

use anyhow::{Result, ensure};
use http::{Request, StatusCode};
use onceway_kit::client::{Client, ClientResponse};
use onceway_kit::envoy::{at, configure_filter};
use onceway_kit::fault_proxy::{Fault, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::{Source, TIME_LEFT_HEADER, WEBHOOK_HEADER};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// The number of incidents in a large webhook.
const INCIDENTS: usize = 60;
/// Rounds of a test in which each connection is another of two workers' half of the time.
const ROUNDS: u32 = 6;
/// How long a sender retries.
const SENDER_LIMIT: Duration = Duration::from_secs(60);

/// One webhook with the `n`-th alert of each incident.
pub(crate) fn of_each(incidents: &[Incident], n: u64) -> String {
    webhook(&incidents.iter().map(|incident| incident.alert(n)).collect::<Vec<_>>())
}

async fn send(rig: &Rig, body: String) -> Result<ClientResponse> {
    rig.client().clone().alert(rig.envoy().url(), body).await
}

/// Sends a webhook as Alertmanager does, again after a 5xx. Returns the response and the number of attempts.
async fn send_until_accepted(rig: &Rig, body: String) -> Result<(ClientResponse, u64)> {
    let began = Instant::now();
    for attempt in 1.. {
        let response = send(rig, body.clone()).await?;
        if response.status.as_u16() < 500 {
            return Ok((response, attempt));
        }
        ensure!(response.header("retry-after").is_some(), "{}", response.text());
        ensure!(began.elapsed() < SENDER_LIMIT, "not accepted after {attempt} attempts: {}", response.text());
        sleep(Duration::from_millis(200)).await;
    }
    unreachable!("the loop ends by its limit")
}

pub(crate) fn results(response: &ClientResponse) -> Vec<Value> {
    response.json()["results"].as_array().cloned().unwrap_or_default()
}

/// Requests of senders that Envoy has not ended.
const DOWNSTREAM: &str = "envoy_http_downstream_rq_active";
/// Requests to replicas, in flight and waiting.
const UPSTREAM: [&str; 2] = ["envoy_cluster_upstream_rq_active", "envoy_cluster_upstream_rq_pending_active"];

/// Waits until Envoy has no request in flight, downstream or upstream.
pub(crate) async fn until_idle(rig: &Rig) -> Result<()> {
    until_none_of(rig, &UPSTREAM).await
}

/// Waits until Envoy has no request of a sender, and none of `gauges`.
async fn until_none_of(rig: &Rig, gauges: &[&str]) -> Result<()> {
    let idle = async || {
        let stats = rig.envoy().stats().await?;
        // The request for this page is one of the admin listener.
        let downstream = stats.sum(DOWNSTREAM, &[("envoy_http_conn_manager_prefix", "onceway")]);
        let active = gauges.iter().fold(downstream, |sum, gauge| sum + stats.sum(gauge, &[]));
        Ok((active == 0.0).then_some(()))
    };
    until(SENDER_LIMIT, "no request is in flight", idle).await
}

#[tokio::test]
async fn each_of_sixty_incidents_in_one_webhook_reaches_the_replica_that_its_own_requests_reach() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let mut rounds = 0;
    let owners = rig.settled_owners(&rig.envoy().url(), &incidents, &mut rounds, 3).await?;
    let since = rig.record().calls().len();
    let response = send(&rig, of_each(&incidents, rounds)).await?;
    assert_eq!((response.status.as_u16(), response.header("content-type")), (207, Some("application/json")));
    let fingerprints: Vec<Value> = results(&response).iter().map(|result| result["fingerprint"].clone()).collect();
    let expected: Vec<Value> = incidents.iter().map(|incident| incident.fingerprint().to_string().into()).collect();
    assert_eq!(fingerprints, expected, "in the webhook's order");
    let summary = json!({"total": 60, "created": 0, "deduplicated": 60, "rejected": 0, "failed": 0});
    assert_eq!(response.json()["summary"], summary);
    assert_eq!(rig.counters(&incidents, since), owners, "60 of 60");
    for incident in &incidents {
        assert_eq!(rig.rrs_of(incident).await?[0].count(), rounds + 1);
    }
    Ok(())
}

#[tokio::test]
async fn with_a_replica_dead_nothing_of_a_webhook_of_sixty_incidents_is_lost() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    assert_eq!(send(&rig, of_each(&incidents, 0)).await?.status, 207);
    rig.sidecar(1).service().kill().await?;
    let (response, attempts) = send_until_accepted(&rig, of_each(&incidents, 1)).await?;
    assert_eq!((response.status.as_u16(), results(&response).len()), (207, INCIDENTS));
    for incident in &incidents {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!(rrs.len(), 1);
        assert!((2..=1 + attempts).contains(&rrs[0].count()), "{} after {attempts} attempts", rrs[0].count());
    }
    rig.envoy().until_healthy(2).await?;
    let mut rounds = 2;
    let owners = rig.settled_owners(&rig.envoy().url(), &incidents, &mut rounds, 2).await?;
    let since = rig.record().calls().len();
    assert_eq!(send(&rig, of_each(&incidents, rounds)).await?.status, 207);
    assert_eq!(rig.counters(&incidents, since), owners, "by the owners among two replicas");
    Ok(())
}

#[tokio::test]
async fn a_late_sub_request_causes_a_503_and_the_others_are_counted() -> Result<()> {
    // Enough for the sub-requests that are not held. The replica allows 30 s: only the filter can end the held one.
    let edit = |config: &mut Value| configure_filter(config, &json!({"split_timeout_ms": 5000}));
    let rig = Rig::replicas(1).with_envoy_edited(edit).with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 3);
    let held = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
    let response = send(&rig, of_each(&incidents, 0)).await?;
    assert_eq!((response.status.as_u16(), response.header("retry-after")), (503, Some("1")));
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let mut statuses: Vec<Value> = results(&response).iter().map(|result| result["status"].clone()).collect();
    statuses.sort_by_key(Value::to_string);
    assert_eq!(statuses, ["created", "created", "failed"]);
    held.release();
    let (response, _) = send_until_accepted(&rig, of_each(&incidents, 0)).await?;
    assert_eq!(response.status, 207);
    assert_eq!(rig.rrs().await?.len(), 3);
    until_idle(&rig).await
}

#[tokio::test]
async fn a_full_circuit_breaker_makes_a_webhook_slow_and_loses_nothing_of_it() -> Result<()> {
    let edit = |config: &mut Value| {
        let breaker = at(config, "/static_resources/clusters/0/circuit_breakers/thresholds/0");
        breaker["max_requests"] = json!(2);
        breaker["max_pending_requests"] = json!(2);
    };
    let rig = Rig::replicas(2).with_envoy_edited(edit).with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    // Envoy rejects most sub-requests beyond the limit at once, and the filter retries them later. One that Envoy
    // accepts and then drops while it waits for a connection causes a 503, to be sent again.
    let (response, attempts) = send_until_accepted(&rig, of_each(&incidents, 0)).await?;
    let overflown = rig.envoy().stats().await?;
    let overflown = overflown.sum("envoy_cluster_upstream_rq_pending_overflow", &[]);
    assert!(overflown > 0.0, "the circuit breaker never opened");
    assert_eq!((response.status.as_u16(), results(&response).len()), (207, INCIDENTS), "{}", response.text());
    let rrs = rig.rrs().await?;
    assert_eq!(rrs.len(), INCIDENTS);
    assert!(rrs.iter().all(|rr| (1..=attempts).contains(&rr.count())), "after {attempts} attempts");
    until_idle(&rig).await
}

/// Each attempt by a connection of its own, and so by any of Envoy's workers: they remember failed webhooks together.
#[tokio::test]
async fn a_retry_counts_no_part_again_that_an_earlier_attempt_has_counted() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_long_timeouts().start().await?;
    let send = async |body: &str| Client::new().signal(&rig.envoy().url(), Source::Prometheus, body.to_owned()).await;
    for round in 0..ROUNDS {
        let incidents: Vec<_> = (0..6).map(|n| Incident::new("prod", &format!("round-{round}-{n}"))).collect();
        let counts = async || {
            let mut counts = Vec::new();
            for incident in &incidents {
                counts.extend(rig.rrs_of(incident).await?.iter().map(RrExt::count));
            }
            anyhow::Ok(counts)
        };
        // A refusal is final for this attempt, and 503 for the whole webhook.
        let name = format!("rr-{}", &incidents[0].fingerprint().to_string()[..12]);
        for replica in [0, 1] {
            let name = name.clone();
            let create = Rule::on(Verb::Create, RRS).once().only(move |call| call.mentions(&name));
            rig.proxy(replica).rule(create, Fault::Respond(StatusCode::FORBIDDEN));
        }
        let body = of_each(&incidents, 0);
        let first = send(&body).await?;
        assert_eq!(first.status, 503, "{}", first.text());
        assert_eq!(counts().await?, [1; 5]);
        let again = send(&body).await?;
        assert_eq!(again.status, 207, "{}", again.text());
        assert_eq!(counts().await?, [1; 6]);
        // Acknowledged, and sent once more: a webhook of its own.
        assert_eq!(send(&body).await?.status, 207);
        assert_eq!(counts().await?, [2; 6]);
    }
    let mut spared = 0.0;
    for sidecar in rig.sidecars() {
        spared += sidecar.scrape().await?.sum("gateway_signals_acknowledged_again_total", &[]);
    }
    assert_eq!(spared, f64::from(5 * ROUNDS));
    Ok(())
}

/// Sends a webhook to `base` with the headers that only the filter sets: a webhook's id, and hardly any time.
async fn send_as_the_filter(rig: &Rig, base: &str, body: &str, time_left_ms: &str) -> Result<ClientResponse> {
    let request = Request::post(format!("{base}{}", Source::Prometheus.path()))
        .header("content-type", "application/json")
        .header(WEBHOOK_HEADER, "0123456789abcdef".repeat(4))
        .header(TIME_LEFT_HEADER, time_left_ms);
    rig.client().send(request, body.to_owned()).await
}

#[tokio::test]
async fn a_senders_own_mark_and_time_reach_no_replica() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 3);
    let (single, several) = (of_each(&incidents[..1], 0), of_each(&incidents[1..], 0));
    let counts = async || anyhow::Ok(rig.rrs().await?.iter().map(RrExt::count).collect::<Vec<_>>());
    for _ in 0..2 {
        for body in [&single, &several] {
            let response = send_as_the_filter(&rig, &rig.envoy().url(), body, "1").await?;
            assert!(response.status.is_success(), "{}: {}", response.status, response.text());
        }
    }
    assert_eq!(counts().await?, [2; 3]);
    // A replica that got them would refuse for the time, and count once for the mark.
    let replica = rig.sidecar(0).url();
    assert_eq!(send_as_the_filter(&rig, &replica, &single, "1").await?.status, 503);
    assert_eq!(counts().await?, [2; 3]);
    for _ in 0..2 {
        assert_eq!(send_as_the_filter(&rig, &replica, &single, "9000").await?.status, 202);
    }
    assert_eq!(counts().await?.iter().sum::<u64>(), 7);
    Ok(())
}

#[tokio::test]
async fn an_id_acknowledges_only_the_signals_that_were_counted_under_it() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (incident, replica) = (Incident::new("prod", "a"), rig.sidecar(0).url());
    let both = [0, 1].map(|n| incident.alert(n));
    let [a, b, both] = [&both[..1], &both[1..], &both].map(webhook);
    // Filter and replica may have other rules by which alerts are one incident, and an alert that was refused may be valid later.
    for (body, count) in [(&a, 1), (&a, 1), (&b, 2), (&both, 4), (&both, 4), (&b, 4)] {
        let response = send_as_the_filter(&rig, &replica, body, "9000").await?;
        assert!(response.status.is_success(), "{}", response.text());
        assert_eq!(rig.rrs_of(&incident).await?.iter().map(RrExt::count).collect::<Vec<_>>(), [count], "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_envoy_does_not_have_costs_the_affinity_and_not_the_webhook() -> Result<()> {
    let edit = |config: &mut Value| configure_filter(config, &json!({"cluster": "nowhere"}));
    let rig = Rig::replicas(2).with_envoy_edited(edit).start().await?;
    let incidents = Incident::several("prod", 5);
    let response = send(&rig, of_each(&incidents, 0)).await?;
    assert_eq!((response.status.as_u16(), results(&response).len()), (207, 5));
    let whole = rig.envoy().stats().await?.sum("onceway_filter_requests_total", &[("outcome", "several")]);
    assert_eq!(whole, 1.0);
    Ok(())
}

#[tokio::test]
async fn without_a_replica_a_webhook_of_several_incidents_gets_503() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let incidents = Incident::several("prod", 5);
    rig.sidecar(0).service().kill().await?;
    let response = send(&rig, of_each(&incidents, 0)).await?;
    assert_eq!(response.status, 503, "{}", response.text());
    rig.sidecar(0).service().restart()?;
    let (response, _) = send_until_restored(&rig, of_each(&incidents, 0)).await?;
    assert_eq!((response.status.as_u16(), results(&response).len()), (207, 5));
    until_idle(&rig).await
}

/// Like [`send_until_accepted`], after Envoy has found a healthy replica.
async fn send_until_restored(rig: &Rig, body: String) -> Result<(ClientResponse, u64)> {
    rig.envoy().until_healthy(1).await?;
    send_until_accepted(rig, body).await
}

#[tokio::test]
async fn the_sub_requests_of_a_client_that_disconnects_are_counted_and_none_is_left_over() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 6);
    let held = [0, 1].map(|replica| rig.proxy(replica).rule(Rule::on(Verb::Create, RRS), Fault::Hold));
    let body = of_each(&incidents, 0);
    let mut connection = TcpStream::connect(rig.envoy().url().trim_start_matches("http://")).await?;
    let (path, length) = (Source::Prometheus.path(), body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: o\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    connection.write_all((head + &body).as_bytes()).await?;
    rig.record().wait_for(|calls| calls.iter().filter(|call| call.is(Verb::Create, RRS)).count() >= 6).await?;
    drop(connection);
    // The sender has left, and sends again what is in flight: each part waits for its first attempt, which counts it.
    until_none_of(&rig, &[]).await?;
    let again = async {
        let response = send(&rig, body.clone()).await?;
        anyhow::Ok((response.status.as_u16(), rig.rrs().await?.iter().map(RrExt::count).collect::<Vec<_>>()))
    };
    let release = async {
        until(SENDER_LIMIT, "the replicas have both attempts", async || {
            let mut received = 0.0;
            for sidecar in rig.sidecars() {
                received += sidecar.scrape().await?.sum("gateway_signals_received_total", &[]);
            }
            Ok((received == 12.0).then_some(()))
        })
        .await?;
        held.into_iter().for_each(|rule| rule.release());
        anyhow::Ok(())
    };
    let (again, released) = tokio::join!(again, release);
    released?;
    assert_eq!(again?, (207, vec![1; 6]));
    let counted = |calls: &[onceway_kit::fault_proxy::Call]| {
        let counts = calls.iter().filter(|call| call.is(Verb::Patch, RR_STATUS) && call.result.is_status(200));
        counts.count() >= 6
    };
    rig.record().wait_for(counted).await?;
    until_idle(&rig).await?;
    assert_eq!(send(&rig, of_each(&incidents, 1)).await?.status, 207);
    assert_eq!(rig.rrs().await?.len(), 6);
    Ok(())
}
