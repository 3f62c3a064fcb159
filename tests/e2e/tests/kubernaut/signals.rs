//! Webhooks.

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::Object;
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::rig::RrExt;
use onceway_signal::Source::Prometheus;
use serde_json::{Value, json};

use super::place::{Place, expect, minutes};

pub(super) async fn freshness(place: &Place) -> Result<()> {
    for (offset, status) in [(-3 * 24 * 60, 201), (1, 201), (3, 400)] {
        let body = webhook(&[place.incident().alert(0).beginning(minutes(offset).parse()?)]);
        let response = place.send(place.post(Prometheus), body).await?;
        let response = expect(response, status).with_context(|| format!("{offset} minutes"))?;
        ensure!(
            status != 400 || response.json()["detail"].as_str().is_some_and(|detail| detail.contains("120s ahead"))
        );
    }
    Ok(())
}

pub(super) async fn common_cluster(place: &Place) -> Result<()> {
    let (one, other) = (place.incident(), place.incident());
    let mut body: Value = serde_json::from_str(&webhook(&[one.alert(0), other.alert(0)]))?;
    body["commonLabels"]["cluster"] = json!("east-1");
    body["alerts"][1]["labels"]["cluster"] = json!("west-1");
    let response = place.expect(Prometheus, body.to_string(), 207).await?.json();
    for (n, cluster) in ["east-1", "west-1"].into_iter().enumerate() {
        let fingerprint = response["results"][n]["fingerprint"].as_str().context("no fingerprint")?;
        let rrs = place.rig.rrs().await?;
        let rr = rrs.iter().find(|rr| rr.spec.signal_fingerprint == fingerprint).context("no RR")?;
        ensure!(rr.spec.cluster_id.as_deref() == Some(cluster), "{:?}", rr.spec);
    }
    // Another incident than that of the same target without a cluster.
    place.expect(Prometheus, one.webhook(0), 201).await.map(drop)
}

pub(super) async fn two_alerts_of_one_target(place: &Place) -> Result<()> {
    let incident = place.incident();
    let body = webhook(&[incident.alert(0), incident.alert(1)]);
    let response = place.expect(Prometheus, body, 201).await?.json();
    ensure!(response["status"] == "created" && response["metadata"]["count"] == 2, "{response}");
    ensure!(response["results"].is_null(), "{response}");
    let rrs = place.rig.rrs_of(&incident).await?;
    ensure!(rrs.len() == 1 && rrs[0].count() == 2, "{rrs:?}");
    Ok(())
}

pub(super) async fn workload(place: &Place) -> Result<()> {
    let deployment = place.incident().deployment().to_owned();
    let (objects, pod) = Object::deployment(&deployment);
    for object in &objects {
        place.rig.namespace().create(object).await?;
    }
    let alert = Alert::firing("KubePodCrashLooping").label("namespace", place.namespace()).label("pod", &pod);
    let response = place.expect(Prometheus, webhook(&[alert]), 201).await?.json();
    let fingerprint = response["fingerprint"].as_str().context("no fingerprint")?;
    let rrs = place.rig.rrs().await?;
    let target =
        &rrs.iter().find(|rr| rr.spec.signal_fingerprint == fingerprint).context("no RR")?.spec.target_resource;
    let of = (target.kind.as_str(), target.name.as_str(), target.api_version.as_deref());
    ensure!(of == ("Deployment", &*deployment, Some("apps/v1")), "{target:?}");
    Ok(())
}

pub(super) async fn scope(place: &Place) -> Result<()> {
    let unmanaged = place.rig.namespace().cluster().namespace("unmanaged").await?;
    let incident = Incident::new(unmanaged.name(), place.incident().deployment());
    let body = place.expect(Prometheus, incident.webhook(0), 200).await?.json();
    let rejection = &body["rejection"];
    ensure!(body["status"] == "rejected" && rejection["status"] == "rejected", "{body}");
    ensure!(rejection["reason"] == "unmanaged_resource", "{body}");
    for field in ["message", "resource", "action"] {
        ensure!(rejection[field].as_str().is_some_and(|text| text.contains(unmanaged.name())), "{field} of {body}");
    }
    ensure!(place.rig.rrs_of(&incident).await?.is_empty(), "an RR about what is out of scope");
    Ok(())
}
