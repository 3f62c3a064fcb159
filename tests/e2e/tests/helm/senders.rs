//! `auth.senders` gives exactly the rights that it names.

use anyhow::{Context, Result};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use onceway_kit::cluster::Cluster;
use onceway_kit::poll;
use serde_json::json;
use std::time::Duration;

use super::{CHART, Helm, IMAGES};

/// How long the API server may take to see a new binding.
const BOUND: Duration = Duration::from_secs(30);

/// Whether the account may signal about `namespace`; `None` is everything.
async fn may_signal(client: &Client, account: &str, namespace: Option<&str>) -> Result<bool> {
    let resource_attributes = Some(ResourceAttributes {
        group: Some("onceway.io".into()),
        resource: Some("signals".into()),
        verb: Some("create".into()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    });
    let user = Some(format!("system:serviceaccount:{account}"));
    let spec = SubjectAccessReviewSpec { resource_attributes, user, ..SubjectAccessReviewSpec::default() };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviewed = Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(reviewed.status.context("a review without a status")?.allowed)
}

#[tokio::test]
async fn each_sender_may_signal_about_its_namespaces_and_no_other() -> Result<()> {
    let helm = Helm::of(&Cluster::shared().await?)?;
    let (namespace, shop, bank) = (helm.namespace().await?, helm.namespace().await?, helm.namespace().await?);
    let senders = json!([
        { "serviceAccount": { "name": "tenant", "namespace": shop }, "namespaces": [shop] },
        { "serviceAccount": { "name": "platform", "namespace": bank }, "clusterWide": true },
    ]);
    let senders = format!("auth.senders={senders}");
    let install = ["install", "onceway", CHART, "--namespace", &namespace, "--set-json", &senders];
    helm.run(&[&install[..], &IMAGES].concat()).await?;

    let (client, tenant, platform) = (helm.client(), format!("{shop}:tenant"), format!("{bank}:platform"));
    poll::until(BOUND, "the senders have their rights", async || {
        let both = may_signal(&client, &tenant, Some(&shop)).await? && may_signal(&client, &platform, None).await?;
        Ok(both.then_some(()))
    })
    .await?;
    assert!(!may_signal(&client, &tenant, Some(&bank)).await?);
    assert!(!may_signal(&client, &tenant, None).await?);
    assert!(may_signal(&client, &platform, Some(&shop)).await?);
    assert!(!may_signal(&client, &format!("{shop}:platform"), Some(&shop)).await?);

    // Taken from the values, the rights go.
    helm.run(&[&["upgrade", "onceway", CHART, "--namespace", &namespace], &IMAGES[..]].concat()).await?;
    poll::until(BOUND, "the senders have no rights", async || {
        let one = may_signal(&client, &tenant, Some(&shop)).await? || may_signal(&client, &platform, None).await?;
        Ok((!one).then_some(()))
    })
    .await?;
    helm.run(&["uninstall", "onceway", "--namespace", &namespace]).await?;
    Ok(())
}
