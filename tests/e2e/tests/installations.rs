//! Two installations of Onceway: in one namespace they share their incidents, in two each has its own.

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;

const SHARED: &str = "two-installations";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_installations_in_one_namespace_make_one_rr_of_an_incident_that_both_are_sent() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(SHARED.to_owned());
    Api::all(cluster.client()?).create(&PostParams::default(), &namespace).await?;
    let installation =
        || Rig::replicas(2).in_cluster(cluster.clone()).in_namespace(SHARED).with_long_timeouts().start();
    let (one, other) = tokio::try_join!(installation(), installation())?;
    let incidents = Incident::several("prod", 10);
    let storm = |rig: &Rig, first| rig.storm(incidents.clone()).signals(200).concurrency(40).first(first).run();
    let (of_one, of_other) = tokio::join!(storm(&one, 0), storm(&other, 200));
    for incident in &incidents {
        let sent = [&of_one, &of_other].map(|report| report.incidents[&incident.fingerprint()].clone());
        let [acknowledged, attempts] = [
            sent.iter().map(|sent| sent.acknowledged).sum::<u64>(),
            sent.iter().map(|sent| sent.attempts).sum::<u64>(),
        ];
        let rrs = one.rrs_of(incident).await?;
        assert_eq!(rrs.len(), 1, "{}\n{}", one.record().text(), other.record().text());
        assert!((acknowledged..=attempts).contains(&rrs[0].count()), "{} counted of {acknowledged}", rrs[0].count());
    }
    Ok(())
}

#[tokio::test]
async fn two_installations_split_the_incidents_by_the_clusters_that_they_accept() -> Result<()> {
    let accepting = |cluster: &str| {
        Rig::replicas(1).with_long_timeouts().config(json!({ "targets": { "clusters": [cluster] } })).start()
    };
    let (east, west) = tokio::try_join!(accepting("east"), accepting("west"))?;
    let webhook =
        onceway_kit::payload::webhook(&[Incident::new("prod", "payment-api").alert(0).label("cluster", "east")]);
    let send = async |rig: &Rig| rig.client().clone().alert(rig.sidecar(0).url(), webhook.clone()).await;
    assert_eq!(send(&east).await?.status, 201);
    assert_eq!(send(&west).await?.status, 400, "it makes no second RR");
    assert_eq!((east.rrs().await?.len(), west.rrs().await?.len()), (1, 0));
    Ok(())
}
