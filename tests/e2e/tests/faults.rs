//! Every fault at every API call of the path: there is one RR, and it counts what was acknowledged.

use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::select_all;
use http::StatusCode;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};

/// The calls of a first incident, then those of a duplicate at another replica.
const FIRST: [(Verb, &str); 5] =
    [(Verb::Create, LEASES), (Verb::Create, RRS), (Verb::Patch, RR_STATUS), (Verb::Get, LEASES), (Verb::Get, RRS)];

/// The calls of an incident that recurs.
const RECURRING: [(Verb, &str); 5] =
    [(Verb::Get, LEASES), (Verb::Get, RRS), (Verb::Patch, LEASES), (Verb::Create, RRS), (Verb::Patch, RR_STATUS)];

/// Injects the fault into each call of both paths, once in each replica. The recurring incidents have a completed RR.
async fn survives_at_every_call(fault: Fault) -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    for (place, (verb, resource)) in FIRST.into_iter().enumerate() {
        let incident = Incident::new("prod", &format!("first-{place}"));
        survives(&rig, incident, Rule::on(verb, resource), &fault).await?;
    }
    for (place, (verb, resource)) in RECURRING.into_iter().enumerate() {
        let incident = Incident::new("prod", &format!("recurring-{place}"));
        rig.alert(0, &incident, 0).await?;
        rig.finish_and_delete(&incident).await?;
        survives(&rig, incident, Rule::on(verb, resource), &fault).await?;
    }
    Ok(())
}

async fn survives(rig: &Rig, incident: Incident, rule: Rule, fault: &Fault) -> Result<()> {
    let rules = [0, 1].map(|n| rig.proxy(n).rule(rule.clone().once(), fault.clone()));
    let report = rig.storm(vec![incident]).signals(20).concurrency(5).run().await;
    select_all(rules.iter().map(|rule| rule.reached().boxed())).await;
    rig.verdict(&report).await.with_context(|| format!("{fault:?} at {rule:?}"))?;
    rules.iter().for_each(|rule| rule.release());
    Ok(())
}

#[tokio::test]
async fn a_server_error_at_any_call_is_not_read_as_not_found() -> Result<()> {
    survives_at_every_call(Fault::Respond(StatusCode::INTERNAL_SERVER_ERROR)).await
}

#[tokio::test]
async fn a_gateway_timeout_at_any_call_is_not_read_as_not_found() -> Result<()> {
    survives_at_every_call(Fault::Respond(StatusCode::GATEWAY_TIMEOUT)).await
}

#[tokio::test]
async fn a_403_at_any_call_is_not_read_as_not_found() -> Result<()> {
    survives_at_every_call(Fault::Respond(StatusCode::FORBIDDEN)).await
}

#[tokio::test]
async fn throttling_at_any_call_is_waited_out() -> Result<()> {
    survives_at_every_call(Fault::RespondRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1)).await
}

#[tokio::test]
async fn a_connection_cut_before_any_call_harms_nothing() -> Result<()> {
    survives_at_every_call(Fault::CutBefore).await
}

#[tokio::test]
async fn a_response_lost_after_any_commit_harms_nothing() -> Result<()> {
    survives_at_every_call(Fault::LoseResponse).await
}

#[tokio::test]
async fn a_false_conflict_at_any_call_harms_nothing() -> Result<()> {
    survives_at_every_call(Fault::Respond(StatusCode::CONFLICT)).await
}

#[tokio::test]
async fn a_count_whose_response_is_lost_is_not_acknowledged_and_not_added_again() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS).once(), Fault::LoseResponse);
    let unknown = rig.alert(0, &incident, 1).await?;
    assert_eq!(unknown.status, 503);
    assert!(unknown.header("retry-after").is_some());
    assert_eq!(rig.rrs_of(&incident).await?[0].count(), 2, "the count was written");
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 202);
    assert_eq!(rig.rrs_of(&incident).await?[0].count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_throttled_claim_has_its_own_reason_in_the_metric_of_lock_failures() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    rig.proxy(0)
        .rule(Rule::on(Verb::Create, LEASES).once(), Fault::RespondRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1));
    rig.proxy(0).rule(Rule::on(Verb::Get, LEASES).once(), Fault::Respond(StatusCode::FORBIDDEN));
    let incident = Incident::new("prod", "payment-api");
    let refused = rig.alert(0, &incident, 0).await?;
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("problems/refused"), "{}", refused.text());
    assert!(rig.rrs().await?.is_empty(), "a 403 does not mean that there is no claim");
    let scrape = rig.sidecar(0).scrape().await?;
    for reason in ["throttled", "forbidden"] {
        let count = scrape.sum("gateway_lock_acquisition_failures_total", &[("reason", reason)]);
        assert_eq!(count, 1.0, "{reason}:\n{}", scrape.text());
    }
    Ok(())
}
