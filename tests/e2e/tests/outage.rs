//! The API server is away, and comes back.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn while_the_api_server_is_away_signals_are_answered_503_in_time_and_counted_once_it_is_back() -> Result<()> {
    let limits = json!({"limits": {"deadline": "3s", "apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).own_cluster().config(limits).start().await?;
    let known = Incident::new("prod", "payment-api");
    let unknown = Incident::new("prod", "checkout-api");
    assert_eq!(rig.alert(0, &known, 0).await?.status, 201);

    rig.cluster().apiserver().kill().await?;
    for incident in [&known, &unknown] {
        let began = Instant::now();
        let answer = rig.alert(0, incident, 1).await?;
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.text().contains("API server"), "it says why: {}", answer.text());
        assert!(began.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", began.elapsed());
    }
    let scrape = rig.sidecar(0).scrape().await?;
    assert!(scrape.sum("gateway_lock_acquisition_failures_total", &[]) >= 1.0, "{}", scrape.text());
    assert!(rig.sidecar(0).is_ready().await, "an outage there must not empty the load balancer");

    rig.cluster().apiserver().restart()?;
    rig.cluster().until_ready().await?;
    let report = rig.storm(vec![known.clone(), unknown.clone()]).signals(20).concurrency(10).first(2).run().await;
    assert_eq!(report.total().given_up, 0);
    for (incident, least) in [(&known, 11), (&unknown, 10)] {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!(rrs.len(), 1);
        // The calls that the server died over may have been counted: they were answered 503.
        assert!((least..=least + 1).contains(&rrs[0].count()), "{}", rrs[0].count());
    }
    Ok(())
}
