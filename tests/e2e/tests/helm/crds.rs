//! The CRD's own chart.

use anyhow::{Context, Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams};
use onceway_kit::cluster::Cluster;
use onceway_kit::poll;
use std::time::Duration;

use super::Helm;

const CHART: &str = "deploy/chart-crds";
const NAME: &str = "remediationrequests.kubernaut.ai";
/// How long the API server may take to remove a CRD.
const REMOVED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_crd_of_someone_else_is_not_replaced_and_ours_survives_its_release() -> Result<()> {
    let cluster = Cluster::start_with_crd("tests/e2e/tests/crd/strict.yaml").await?;
    let helm = Helm::of(&cluster)?;
    let crds = Api::<CustomResourceDefinition>::all(helm.client());
    let foreign = crds.get(NAME).await?;
    let install = ["install", "onceway-crds", CHART, "--namespace", "default"];
    let refusal = helm.run(&install).await.err().context("helm has replaced someone else's CRD")?.to_string();
    ensure!(refusal.contains(NAME) && refusal.contains("cannot be imported"), "{refusal}");
    assert_eq!(crds.get(NAME).await?.spec, foreign.spec);

    crds.delete(NAME, &DeleteParams::default()).await?;
    poll::until(REMOVED, "the CRD is removed", async || Ok(crds.get_opt(NAME).await?.is_none().then_some(()))).await?;
    helm.run(&install).await?;
    helm.run(&["upgrade", "onceway-crds", CHART, "--namespace", "default"]).await?;
    let ours = crds.get(NAME).await?;
    assert_ne!(ours.spec, foreign.spec);
    helm.run(&["uninstall", "onceway-crds", "--namespace", "default"]).await?;
    let left = crds.get(NAME).await.context("the CRD went with its release, and every RR with it")?;
    assert_eq!((left.metadata.uid, left.metadata.deletion_timestamp), (ours.metadata.uid, None));
    Ok(())
}
