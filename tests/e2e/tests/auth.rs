//! Who may signal about what: real tokens and real RBAC, through the sidecar and through Envoy and the filter.

mod outage;
mod tenants;

use std::time::Duration;

use anyhow::Result;
use http::Request;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::DeleteParams;
use onceway_kit::client::{Client, ClientResponse};
use onceway_kit::cluster::SenderAccount;
use onceway_kit::fault_proxy::{ACCESS_REVIEWS, TOKEN_REVIEWS, Verb};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use tokio::time::timeout;

/// How long the API server may take to apply changed bindings, and a sidecar to notice.
const SOON: Duration = Duration::from_secs(60);

/// Sends one alert of each incident in one webhook, with a token.
async fn send(base: &str, token: &str, incidents: &[&Incident]) -> Result<ClientResponse> {
    let alerts: Vec<_> = incidents.iter().map(|incident| incident.alert(0)).collect();
    Client::new().with_token(token).alert(base.to_owned(), webhook(&alerts)).await
}

/// A sender that may signal about a new namespace; the sender, and an incident in that namespace.
async fn tenant(rig: &Rig, name: &'static str) -> Result<(SenderAccount, String, Incident)> {
    let sender = rig.namespace().sender(name).await?;
    let namespace = rig.namespace().another(name).await?;
    sender.permit(&namespace).await?;
    let incident = Incident::new(&namespace, "payment-api");
    Ok((sender, namespace, incident))
}

/// The token reviews and the access reviews of all replicas so far.
fn reviews(rig: &Rig) -> (usize, usize) {
    (rig.record().count(Verb::Create, TOKEN_REVIEWS), rig.record().count(Verb::Create, ACCESS_REVIEWS))
}

#[tokio::test]
async fn a_sender_without_a_valid_token_gets_401_and_nothing_is_created() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_auth().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let sidecars_own = rig.namespace().token().to_owned();
    let (other_audience, good) = (sender.token_for("another").await?, sender.token().await?);
    // In the signature; not its last character, some bits of which mean nothing.
    let (head, tail) = good.split_at(good.len() - 20);
    let tampered = format!("{head}{}{}", if tail.starts_with('x') { 'y' } else { 'x' }, &tail[1..]);
    let two = Incident::new("kube-system", "coredns");
    for base in [rig.sidecar(0).url(), rig.envoy().url()] {
        for incidents in [vec![&incident], vec![&incident, &two]] {
            let without = webhook(&incidents.iter().map(|incident| incident.alert(0)).collect::<Vec<_>>());
            let mut refused = vec![rig.client().signal(&base, Source::Prometheus, without).await?];
            for token in ["garbage", &sidecars_own, &other_audience, &tampered] {
                refused.push(send(&base, token, &incidents).await?);
            }
            for response in refused {
                assert_eq!(response.status, 401, "{}", response.text());
                assert_eq!(response.header("www-authenticate"), Some("Bearer"));
                assert_eq!(response.json()["type"], "https://onceway.io/problems/unauthenticated");
            }
        }
    }
    assert!(rig.rrs().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_rr_names_its_sender_and_the_request_that_opened_the_incident() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_auth().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let (token, id) = (sender.token().await?, "7f3c9a52-0b1e-4d6c-8a90-5e1f2d3c4b5a");
    let request = Request::post(format!("{}{}", rig.sidecar(0).url(), Source::Prometheus.path()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .header("x-request-id", id);
    assert_eq!(rig.client().send(request, incident.webhook(0)).await?.status, 201);
    // A later sender and request change nothing.
    assert_eq!(send(&rig.envoy().url(), &token, &[&incident]).await?.status, 202);
    let rr = rig.rrs_of(&incident).await?.swap_remove(0);
    let annotations = rr.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.get("onceway.io/sender"), Some(&sender.user()));
    assert_eq!(annotations.get("onceway.io/request-id").map(String::as_str), Some(id));
    assert_eq!(rr.count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_storm_of_one_sender_costs_at_most_two_reviews_per_replica() -> Result<()> {
    let rig = Rig::replicas(3).with_auth().without_bodies().start().await?;
    let (sender, namespace, _) = tenant(&rig, "shop").await?;
    let before = reviews(&rig);
    let incidents = Incident::several(&namespace, 5);
    let storm = rig.storm(incidents).signals(5_000).concurrency(100).token(&sender.token().await?);
    let report = storm.run().await;
    let total = report.total();
    assert_eq!(total.acknowledged, 5_000, "{:?}", total.responses);
    let after = reviews(&rig);
    // A minute of a slow machine may be over before the storm is, and begins another.
    let minutes = usize::try_from(report.elapsed.as_secs() / 60)? + 1;
    for (reviews, what) in [(after.0 - before.0, TOKEN_REVIEWS), (after.1 - before.1, ACCESS_REVIEWS)] {
        assert!((1..=3 * minutes).contains(&reviews), "{reviews} {what} of 3 replicas\n");
    }
    for sidecar in rig.sidecars() {
        let scrape = sidecar.scrape().await?;
        let hits = scrape.sum("gateway_auth_cache_total", &[("result", "hit")]);
        assert!(hits > 2_000.0, "{}", scrape.text());
    }
    rig.verdict(&report).await?;
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_ask_a_replica_is_not_ready_and_names_it() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let bindings = Api::<ClusterRoleBinding>::all(rig.namespace().client().clone());
    let name = format!("onceway-reviews.{}", rig.namespace().name());
    bindings.delete(&name, &DeleteParams::default()).await?;
    // The API server may go by its cache for a moment; every token is another, so that the sidecar's does not answer.
    let until_refused = async {
        for n in 0.. {
            let response = send(&rig.sidecar(0).url(), &format!("garbage-{n}"), &[&incident]).await?;
            if response.status == 503 {
                return anyhow::Ok(response);
            }
        }
        unreachable!("the loop ends by its time limit")
    };
    let refused = timeout(SOON, until_refused).await??;
    assert_eq!(refused.json()["type"], "https://onceway.io/problems/auth-unavailable");
    assert!(refused.header("retry-after").is_some() && !refused.text().contains(rig.namespace().name()));
    let named = async || {
        let readiness = rig.sidecar(0).readiness().await?.text();
        Ok(readiness.contains("create tokenreviews.authentication.k8s.io").then_some(()))
    };
    until(SOON, "readiness names the right", named).await?;
    let token = sender.token().await?;
    assert_eq!(send(&rig.sidecar(0).url(), &token, &[&incident]).await?.status, 503, "never a 401");
    Ok(())
}

#[tokio::test]
async fn strangers_hide_no_line_of_the_log_about_a_sender() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().with_long_timeouts().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let (base, token) = (rig.sidecar(0).url(), sender.token().await?);
    // Known, so that the line about it comes at once behind those about strangers.
    assert_eq!(send(&base, &token, &[&incident]).await?.status, 201);
    for _ in 0..40 {
        assert_eq!(Client::new().signal(&base, Source::Prometheus, "no JSON").await?.status, 401);
    }
    let response = Client::new().with_token(&token).signal(&base, Source::Prometheus, "no JSON").await?;
    assert_eq!(response.status, 400);
    let log = std::fs::read_to_string(rig.sidecar(0).service().process()?.log())?;
    let of =
        |event: &str| log.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).collect::<Vec<_>>();
    let [rejected] = of("request_rejected")[..] else { anyhow::bail!("not one line about the sender: {log}") };
    assert!(rejected.contains("\"status\":400") && rejected.contains("shop"), "{rejected}");
    assert!(!of("stranger_rejected").is_empty(), "{log}");
    Ok(())
}
