//! Kubernetes events.

use anyhow::{Context, Result, ensure};
use onceway_kit::payload::event;
use onceway_signal::Source::KubernetesEvent;
use serde_json::{Value, json};

use super::place::{Place, expect, minutes};

fn warning(place: &Place) -> Result<Value> {
    Ok(serde_json::from_str(&event("Deployment", place.namespace(), place.incident().deployment(), "BackOff"))?)
}

pub(super) async fn freshness(place: &Place) -> Result<()> {
    for (offset, status) in [(-6, 400), (-4, 201), (1, 201), (3, 400)] {
        let mut event = warning(place)?;
        event["lastTimestamp"] = json!(minutes(offset));
        let response = place.send(place.post(KubernetesEvent), event.to_string()).await?;
        expect(response, status).with_context(|| format!("{offset} minutes"))?;
    }
    Ok(())
}

pub(super) async fn normal(place: &Place) -> Result<()> {
    for reason in ["ScalingReplicaSet", "NodeNotReady"] {
        let mut event = warning(place)?;
        (event["type"], event["reason"]) = (json!("Normal"), json!(reason));
        let response = place.expect(KubernetesEvent, event.to_string(), 400).await?;
        ensure!(response.json()["title"] == "Bad Request", "{}", response.text());
        ensure!(response.text().contains("type Normal"), "{}", response.text());
    }
    Ok(())
}
