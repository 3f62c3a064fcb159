//! The metrics that answer whether a replica works and whether it loses signals, while something is wrong.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use onceway::health::permissions::RIGHTS;
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(60);

/// The sum of a metric over all replicas.
async fn sum(rig: &Rig, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
    let mut sum = 0.0;
    for sidecar in rig.sidecars() {
        sum += sidecar.scrape().await?.sum(name, labels);
    }
    Ok(sum)
}

#[tokio::test]
async fn the_signals_of_a_split_webhook_are_acknowledged_once_each_over_all_replicas() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 12);
    for _ in 0..2 {
        let body = webhook(&incidents.iter().map(|incident| incident.alert(0)).collect::<Vec<_>>());
        let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, body).await?;
        assert_eq!(response.status, 207, "{}", response.text());
    }
    let acknowledged = sum(&rig, "gateway_signals_acknowledged_total", &[("source_type", "prometheus")]).await?;
    assert_eq!((acknowledged, sum(&rig, "gateway_signals_counted_total", &[]).await?), (24.0, 24.0));
    assert_eq!(sum(&rig, "gateway_signals_failed_total", &[]).await?, 0.0);
    // How they are spread is not asked here: a worker of Envoy may know one healthy replica alone at first.
    for sidecar in rig.sidecars() {
        let scrape = sidecar.scrape().await?;
        assert_eq!(scrape.sum("gateway_ready", &[("condition", "all")]), 1.0);
        if scrape.sum("gateway_signals_acknowledged_total", &[]) == 0.0 {
            continue;
        }
        let age =
            Timestamp::now().as_duration().as_secs_f64() - scrape.sum("gateway_last_write_timestamp_seconds", &[]);
        assert!((0.0..60.0).contains(&age), "{age}");
    }
    Ok(())
}

#[tokio::test]
async fn signals_that_an_api_server_cannot_store_are_failed_by_the_kind_of_their_problem() -> Result<()> {
    let limits = json!({"limits": {"deadline": "3s", "apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).own_cluster().config(limits).start().await?;
    let written = async || anyhow::Ok(rig.sidecar(0).scrape().await?.sum("gateway_last_write_timestamp_seconds", &[]));
    assert_eq!(rig.alert(0, &Incident::new("prod", "payment-api"), 0).await?.status, 201);
    rig.cluster().apiserver().freeze()?;
    let frozen = Timestamp::now().as_duration().as_secs_f64();
    let response = rig.alert(0, &Incident::new("prod", "checkout-api"), 0).await;
    let last = written().await;
    rig.cluster().apiserver().thaw()?;
    assert_eq!(response?.status, 503);
    let kind = [("problem", "deadline-exceeded")];
    assert_eq!(sum(&rig, "gateway_signals_failed_total", &kind).await?, 1.0);
    let problem = [("kind", "deadline-exceeded"), ("status", "503")];
    assert_eq!(sum(&rig, "gateway_http_problems_total", &problem).await?, 1.0);
    assert!(sum(&rig, "gateway_api_calls_total", &[("outcome", "timeout")]).await? >= 1.0);
    // What was acknowledged just before may be read a little later.
    assert!((1.0..frozen + 1.0).contains(&last?), "nothing was acknowledged since {frozen}");
    assert_eq!(sum(&rig, "gateway_signals_acknowledged_total", &[]).await?, 1.0);
    Ok(())
}

#[tokio::test]
async fn every_missing_right_is_shown_until_it_is_granted_and_the_log_has_a_line_for_each_change() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (sidecar, namespace) = (rig.sidecar(0), rig.namespace());
    let bindings = Api::<RoleBinding>::namespaced(namespace.client().clone(), namespace.name());
    let mut bound = bindings.list(&Default::default()).await?.items;
    let binding = bound.pop().context("the sidecar's role is bound")?;
    bindings.delete(&binding.name_any(), &DeleteParams::default()).await?;
    poll::until(LIMIT, "a signal is refused", async || {
        let incident = Incident::new("prod", &format!("service-{}", Timestamp::now().as_microsecond()));
        Ok((rig.alert(0, &incident, 0).await?.status == 503).then_some(()))
    })
    .await?;
    sidecar.until_metric("gateway_right_missing", |missing| missing >= RIGHTS.len() as f64).await?;
    let scrape = sidecar.scrape().await?;
    let right = [("right", "create leases.coordination.k8s.io")];
    assert_eq!(scrape.sum("gateway_right_missing", &right), 1.0);
    let ready = |condition| scrape.sum("gateway_ready", &[("condition", condition)]);
    assert_eq!((ready("permissions"), ready("draining"), ready("all")), (0.0, 1.0, 0.0));

    let mut again = RoleBinding { role_ref: binding.role_ref, subjects: binding.subjects, ..RoleBinding::default() };
    again.metadata.name = Some("again".to_owned());
    bindings.create(&PostParams::default(), &again).await?;
    sidecar.until_ready().await?;
    assert_eq!(sidecar.scrape().await?.sum("gateway_right_missing", &[]), 0.0);
    let log = std::fs::read_to_string(sidecar.service().process()?.log())?;
    let lines = |event: &str| log.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((lines("not_ready"), lines("ready")), (1, 2), "{log}");
    // The API server may apply the binding in the middle of a check.
    assert!(lines("right_missing") >= 1 && lines("right_granted") >= 1, "{log}");
    Ok(())
}
