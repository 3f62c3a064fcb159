//! The cluster: its servers restart with their data.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use onceway_kit::cluster::Cluster;

fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object
}

#[tokio::test]
async fn killed_servers_restart_with_their_data_and_address() -> Result<()> {
    let cluster = Cluster::start().await?;
    let maps = Api::<ConfigMap>::namespaced(cluster.client()?, "default");
    maps.create(&PostParams::default(), &config_map("kept")).await?;

    cluster.apiserver().kill().await?;
    cluster.etcd().kill().await?;
    assert!(maps.get("kept").await.is_err());

    cluster.etcd().restart()?;
    cluster.apiserver().restart()?;
    cluster.until_ready().await?;
    maps.get("kept").await?;
    Ok(())
}

#[tokio::test]
async fn a_frozen_api_server_does_not_respond_until_it_is_thawed() -> Result<()> {
    let cluster = Cluster::start().await?;
    let maps = Api::<ConfigMap>::namespaced(cluster.client()?, "default");
    cluster.apiserver().freeze()?;
    let frozen = tokio::time::timeout(Duration::from_millis(300), maps.get_opt("any")).await;
    assert!(frozen.is_err());

    cluster.apiserver().thaw()?;
    assert_eq!(maps.get_opt("any").await?, None);
    Ok(())
}
