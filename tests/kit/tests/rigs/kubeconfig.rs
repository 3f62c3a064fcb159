//! A rig in a cluster that the kit did not start.

use anyhow::Result;
use kube::config::AuthInfo;
use onceway_kit::cluster::{ADMIN_TOKEN, Cluster};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

#[tokio::test]
async fn a_rig_runs_in_a_cluster_of_the_user_and_leaves_its_crd_as_it_is() -> Result<()> {
    let theirs = Cluster::shared().await?;
    let mut admin = theirs.config();
    admin.auth_info = AuthInfo { token: Some(ADMIN_TOKEN.to_owned().into()), ..AuthInfo::default() };
    let cluster = Cluster::of_user(admin).await?;
    assert!(cluster.is_of_user() && !theirs.is_of_user());
    let rig = Rig::replicas(1).in_cluster(cluster).label("of-user").start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    assert_eq!(rig.rrs_of(&incident).await?.len(), 1);
    rig.namespace().delete().await
}
