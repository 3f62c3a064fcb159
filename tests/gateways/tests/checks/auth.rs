//! Senders' tokens, which the gateway passes on to the sidecars.

use anyhow::{Result, ensure};
use onceway_gateways::isolation::PODS;
use onceway_kit::client::Client;
use onceway_kit::envoy::Upstream;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::routing::of_each;
use crate::running::{REPLICAS, Running, upstream};

pub(super) async fn only_senders_with_a_token_and_the_right_may_signal(running: &mut Running) -> Result<String> {
    let rig = Rig::replicas(REPLICAS).pods_in(PODS).in_cluster(running.site.cluster.clone());
    let rig = rig.with_auth().with_long_timeouts().start().await?;
    let replicas: Vec<Upstream> = rig.sidecars().iter().map(upstream).collect();
    running.gateway.set_replicas(&replicas).await?;
    let result = ask(running, &rig).await;
    running.use_replicas(REPLICAS).await?;
    result
}

async fn ask(running: &Running, rig: &Rig) -> Result<String> {
    let sender = rig.namespace().sender("alertmanager").await?;
    let permitted = rig.namespace().another("permitted").await?;
    sender.permit(&permitted).await?;
    let url = running.gateway.url();
    let with = Client::new().with_token(&sender.token().await?);
    let (own, other) = (Incident::new(&permitted, "payment-api"), Incident::new("other", "payment-api"));
    let status = async |client: &Client, body: String| {
        anyhow::Ok(client.clone().alert(url.clone(), body).await?.status.as_u16())
    };
    ensure!(status(&Client::new(), own.webhook(0)).await? == 401, "without a token");
    ensure!(status(&Client::new().with_token("forged"), own.webhook(0)).await? == 401, "with a token of nobody");
    ensure!(status(&with, own.webhook(0)).await? == 201, "with the right");
    ensure!(status(&with, other.webhook(0)).await? == 403, "about another namespace");
    ensure!(status(&with, of_each(&[own, other.clone()], 1)).await? == 207, "about both");
    ensure!(rig.rrs_of(&other).await?.is_empty(), "an RR without the right");
    Ok(String::new())
}
