//! Two versions side by side, as during every upgrade: this one and the previous one (docs/upgrades.md).

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_kit::built;
use onceway_kit::cluster::{Cluster, deploy};
use onceway_kit::envoy::load_module;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};

/// How long a replica may take to drain and end.
const DRAIN_LIMIT: Duration = Duration::from_secs(70);
const SENDERS: usize = 50;
/// Signals that are acknowledged between two steps.
const STEP: u64 = 300;

/// Replaces the replicas one after another under a storm, from one version to the other and halfway back.
async fn roll(rig: &Rig) -> Result<()> {
    let (to, back) = (built::sidecar()?, built::previous_sidecar()?);
    ensure!(fs::read(&to)? != fs::read(&back)?, "both versions are the same program");
    let storm = rig.storm(Incident::several("prod", 5)).endless().concurrency(SENDERS).start();
    storm.until_acknowledged(STEP).await;
    for (program, replicas) in [(&to, vec![0, 1, 2]), (&back, vec![0, 1])] {
        for replica in replicas {
            rig.sidecar(replica).use_program(program.clone());
            rig.sidecar(replica).roll(DRAIN_LIMIT).await?;
            let acknowledged = storm.progress().acknowledged();
            storm.until_acknowledged(acknowledged + STEP).await;
        }
    }
    storm.end();
    rig.verdict(&storm.report().await).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_from_the_previous_version_and_back_is_exact_with_affinity() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().program(built::previous_sidecar).start().await?;
    roll(&rig).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_from_the_previous_version_and_back_is_exact_without_affinity() -> Result<()> {
    let rig = Rig::replicas(3).program(built::previous_sidecar).start().await?;
    roll(&rig).await
}

/// Sends single signals and webhooks of several incidents through Envoy; each must reach its owner and be counted.
async fn filter_and_sidecars_agree(rig: &Rig) -> Result<()> {
    let incidents = Incident::several("prod", 24);
    let (url, mut rounds) = (rig.envoy().url(), 0);
    let owners = rig.settled_owners(&url, &incidents, &mut rounds, 2).await?;
    let since = rig.record().calls().len();
    let response = rig.client().clone().alert(url, crate::split::of_each(&incidents, rounds)).await?;
    assert_eq!(response.status, 207, "{}", response.text());
    assert_eq!(rig.counters(&incidents, since), owners, "the filter splits as the sidecars name the incidents");
    for incident in &incidents {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, rounds + 1), "{incident:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_previous_filter_works_with_this_sidecar() -> Result<()> {
    let module = built::previous_filter()?;
    let rig = Rig::replicas(2).with_envoy_edited(move |config| load_module(config, &module)).with_long_timeouts();
    filter_and_sidecars_agree(&rig.start().await?).await
}

#[tokio::test]
async fn this_filter_works_with_the_previous_sidecar() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().program(built::previous_sidecar).with_long_timeouts();
    filter_and_sidecars_agree(&rig.start().await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crd_that_is_replaced_under_a_storm_keeps_the_stored_rrs_and_every_count() -> Result<()> {
    // The one without a signal list stands for an older CRD: kubernaut's.
    let cluster = Cluster::start_with_crd("tests/e2e/tests/crd/strict.yaml").await?;
    let rig = Rig::replicas(2).with_envoy().in_cluster(cluster).start().await?;
    let incidents = Incident::several("prod", 5);
    let storm = rig.storm(incidents.clone()).endless().concurrency(SENDERS).start();
    storm.until_acknowledged(STEP).await;
    deploy::apply_crd(&rig.cluster().client()?, deploy::CRD).await?;
    let acknowledged = storm.progress().acknowledged();
    storm.until_acknowledged(acknowledged + STEP).await;
    storm.end();
    let report = storm.report().await;
    let compared = rig.compare(&report).await?;
    assert_eq!(compared.unacknowledged, 0);
    for incident in &compared.incidents {
        assert_eq!(incident.rrs.len(), 1, "{incident:?}");
        assert!(incident.acknowledged <= incident.counted && incident.counted <= incident.attempts, "{incident:?}");
    }
    // What was stored before has no list; from then on there is one.
    let rrs = rig.rrs_of(&incidents[0]).await?;
    assert!(rrs[0].listed().is_some_and(|listed| listed > 0 && listed < rrs[0].count()), "{:?}", rrs[0].status);
    Ok(())
}
