//! `scope.label`: which targets may be remediated, by their labels and those of their namespaces in a real API server.

use std::time::Duration;

use anyhow::{Result, ensure};
use http::StatusCode;
use onceway::health::permissions::SCOPE_RIGHTS;
use onceway_kit::client::ClientResponse;
use onceway_kit::cluster::{Namespace, Object};
use onceway_kit::fault_proxy::{Call, Fault, LEASES, RRS, Rule, Verb};
use onceway_kit::payload::{Alert, webhook};
use onceway_kit::poll;
use onceway_kit::rig::{Rig, RigBuilder, RrExt};
use serde_json::{Value, json};
use tokio::time::sleep;

const LABEL: &str = "kubernaut.ai/managed";
/// How long a label or a right may take to have effect.
const SOON: Duration = Duration::from_secs(60);
/// Longer than what was found of a target is used again.
const FORGOTTEN: Duration = Duration::from_millis(1100);

fn scoped(replicas: usize) -> RigBuilder {
    let config = json!({"scope": {"label": LABEL}, "limits": {"targetTimeout": "15s"}});
    Rig::replicas(replicas).with_long_timeouts().config(config)
}

fn about(namespace: &Namespace, deployment: &str) -> Alert {
    Alert::firing("A").label("namespace", namespace.name()).label("deployment", deployment)
}

async fn send(rig: &Rig, alert: Alert) -> Result<ClientResponse> {
    rig.client().clone().alert(rig.sidecar(0).url(), webhook(&[alert])).await
}

/// Sends until the response has this status, as a new label has effect.
async fn until_status(rig: &Rig, alert: Alert, status: u16) -> Result<ClientResponse> {
    poll::until(SOON, "the label has effect", async || {
        let response = send(rig, alert.clone()).await?;
        ensure!([200, 201, 202].contains(&response.status.as_u16()), "{} {}", response.status, response.text());
        Ok((response.status == status).then_some(response))
    })
    .await
}

/// Writes for incidents: RRs and claims.
fn writes(rig: &Rig) -> usize {
    rig.record().count_of(|call: &Call| call.verb.writes() && [LEASES, RRS].contains(&call.resource.as_str()))
}

#[tokio::test]
async fn the_label_of_the_workload_counts_else_that_of_its_namespace() -> Result<()> {
    let rig = scoped(1).start().await?;
    let managed = rig.namespace();
    let unmanaged = rig.namespace().cluster().namespace("unmanaged").await?;
    managed.label(LABEL, "true").await?;
    for namespace in [managed, &unmanaged] {
        for (name, value) in [("inherits", None), ("opted-in", Some("true")), ("opted-out", Some("false"))] {
            let deployment = Object::new("apps/v1", "Deployment", name);
            namespace.create(&value.iter().fold(deployment, |object, value| object.label(LABEL, value))).await?;
        }
    }
    until_status(&rig, about(managed, "marker"), 201).await?;
    for (namespace, name, status) in [
        (managed, "inherits", 201),
        (managed, "opted-in", 201),
        (managed, "opted-out", 200),
        (&unmanaged, "inherits", 200),
        (&unmanaged, "opted-in", 201),
        (&unmanaged, "opted-out", 200),
    ] {
        let response = send(&rig, about(namespace, name)).await?;
        assert_eq!(response.status, status, "{name} in {}: {}", namespace.name(), response.text());
        assert_eq!(response.json()["rejection"].is_object(), status == 200);
    }
    // A pod that opts out speaks for itself, where its workload says nothing.
    let (objects, pod) = Object::deployment("payment-api");
    for object in &objects {
        let is_pod = format!("{object:?}").contains("\"Pod\"");
        let object = object.clone();
        managed.create(&if is_pod { object.label(LABEL, "false") } else { object }).await?;
    }
    let of_pod = Alert::firing("A").label("namespace", managed.name()).label("pod", &pod);
    assert_eq!(send(&rig, of_pod).await?.status, 200);
    // Objects without a namespace have their own label alone.
    let node = Object::new("v1", "Node", &format!("worker-{}", managed.name()));
    let of_node = || Alert::firing("A").label("node", &format!("worker-{}", managed.name()));
    assert_eq!(send(&rig, of_node()).await?.status, 200);
    managed.create(&node.label(LABEL, "true")).await?;
    until_status(&rig, of_node(), 201).await?;
    assert_eq!(rig.rrs().await?.len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_rejection_has_the_fields_of_kubernauts_and_leaves_nothing_behind() -> Result<()> {
    let rig = scoped(1).start().await?;
    let namespace = rig.namespace().name();
    for n in 0..3 {
        let response = send(&rig, about(rig.namespace(), "payment-api")).await?;
        assert_eq!(response.status, 200, "{n}");
        let body = response.json();
        assert_eq!(body["status"], "rejected");
        let rejection = body["rejection"].as_object().expect("a rejection");
        let mut fields: Vec<&str> = rejection.keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["action", "message", "reason", "resource", "status"]);
        assert_eq!((&rejection["status"], &rejection["reason"]), (&json!("rejected"), &json!("unmanaged_resource")));
        assert_eq!(rejection["resource"], format!("{namespace}:Deployment:payment-api"));
        let action = rejection["action"].as_str().unwrap_or_default();
        assert!(
            action.contains(&format!("kubectl label -n {namespace} deployment payment-api {LABEL}=true")),
            "{action}"
        );
    }
    assert_eq!((writes(&rig), rig.rrs().await?.len()), (0, 0), "{}", rig.record().text());
    // The three together cost one lookup, if they came within its time; a storm costs no more than one a second.
    assert!(rig.record().count(Verb::Get, "deployments") <= 3);
    let scrape = rig.sidecar(0).scrape().await?;
    assert_eq!(scrape.sum("gateway_signals_rejected_total", &[("reason", "unmanaged_resource")]), 3.0);
    Ok(())
}

#[tokio::test]
async fn labels_have_effect_as_they_change_and_an_active_rr_counts_on() -> Result<()> {
    let rig = scoped(1).start().await?;
    let (namespace, incident) = (rig.namespace(), || about(rig.namespace(), "payment-api"));
    assert_eq!(send(&rig, incident()).await?.status, 200);
    namespace.label(LABEL, "true").await?;
    let created = until_status(&rig, incident(), 201).await?;
    rig.sidecar(0).until_metric("gateway_index_incidents", |incidents| incidents > 0.5).await?;
    namespace.label(LABEL, "false").await?;
    until_status(&rig, about(namespace, "cart-api"), 200).await?;
    assert_eq!(send(&rig, incident()).await?.status, 202);
    let name = created.json()["remediationRequestName"].as_str().unwrap_or_default().to_owned();
    assert_eq!(rig.rr_api().get(&name).await?.count(), 2);
    // The next incident of the same target is one of its own.
    rig.set_phase(&name, "Completed").await?;
    rig.sidecar(0).until_metric("gateway_index_incidents", |incidents| incidents < 0.5).await?;
    sleep(FORGOTTEN).await;
    assert_eq!(send(&rig, incident()).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn of_a_split_webhook_the_rejected_part_has_its_own_status_and_the_others_are_counted() -> Result<()> {
    let rig = scoped(3).with_envoy().start().await?;
    let unmanaged = rig.namespace().cluster().namespace("unmanaged").await?;
    rig.namespace().label(LABEL, "true").await?;
    for sidecar in 0..3 {
        poll::until(SOON, "each replica knows the label", async || {
            let marker = about(rig.namespace(), &format!("marker-{sidecar}"));
            let response = rig.client().clone().alert(rig.sidecar(sidecar).url(), webhook(&[marker])).await?;
            Ok((response.status != 200).then_some(()))
        })
        .await?;
    }
    let alerts = [about(rig.namespace(), "a"), about(&unmanaged, "b"), about(rig.namespace(), "c")];
    let response = rig.client().clone().alert(rig.envoy().url(), webhook(&alerts)).await?;
    assert_eq!(response.status, 207, "{}", response.text());
    let body = response.json();
    let statuses: Vec<&Value> =
        body["results"].as_array().into_iter().flatten().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["created", "rejected", "created"]);
    assert_eq!(body["results"][1]["rejection"]["reason"], "unmanaged_resource");
    assert_eq!((&body["summary"]["rejected"], &body["summary"]["failed"]), (&json!(1), &json!(0)));
    // All of them out of scope: still no error, which a sender would take for its own.
    let alerts = [about(&unmanaged, "d"), about(&unmanaged, "e")];
    let response = rig.client().clone().alert(rig.envoy().url(), webhook(&alerts)).await?;
    assert_eq!((response.status.as_u16(), &response.json()["summary"]["rejected"]), (207, &json!(2)));
    let one = rig.client().clone().alert(rig.envoy().url(), webhook(&alerts[..1])).await?;
    assert_eq!((one.status.as_u16(), &one.json()["status"]), (200, &json!("rejected")));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_decided_gets_503_and_nothing_begins() -> Result<()> {
    let rig = scoped(1).start().await?;
    rig.namespace().label(LABEL, "true").await?;
    until_status(&rig, about(rig.namespace(), "marker"), 201).await?;
    let before = writes(&rig);
    let failing =
        rig.proxy(0).rule(Rule::on(Verb::Get, "deployments"), Fault::Respond(StatusCode::SERVICE_UNAVAILABLE));
    let response = send(&rig, about(rig.namespace(), "payment-api")).await?;
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.header("retry-after").is_some());
    assert!(!response.text().contains("deployments"), "{}", response.text());
    assert_eq!(writes(&rig), before);
    failing.release();
    until_status_after_503(&rig, about(rig.namespace(), "payment-api")).await
}

async fn until_status_after_503(rig: &Rig, alert: Alert) -> Result<()> {
    poll::until(SOON, "it is decided", async || Ok((send(rig, alert.clone()).await?.status == 201).then_some(()))).await
}

#[tokio::test]
async fn while_the_watch_fails_namespaces_are_read_and_no_label_is_guessed() -> Result<()> {
    let mut builder = scoped(1);
    builder = builder.config(json!({
        "scope": {"label": LABEL}, "limits": {"targetTimeout": "15s"}, "index": {"watchTimeout": "1s"}
    }));
    let rig = builder.start().await?;
    let down = rig.proxy(0).rule(Rule::on(Verb::Watch, "namespaces"), Fault::Respond(StatusCode::SERVICE_UNAVAILABLE));
    down.reached().await;
    rig.sidecar(0).until_metric("gateway_scope_in_sync", |in_sync| in_sync < 0.5).await?;
    rig.namespace().label(LABEL, "true").await?;
    assert_eq!(send(&rig, about(rig.namespace(), "payment-api")).await?.status, 201);
    assert_eq!(rig.record().count(Verb::Get, "namespaces"), 1);
    down.release();
    rig.sidecar(0).until_metric("gateway_scope_in_sync", |in_sync| in_sync > 0.5).await?;
    until_status(&rig, about(rig.namespace(), "cart-api"), 201).await?;
    Ok(())
}

#[tokio::test]
async fn a_replica_that_may_not_watch_namespaces_is_not_ready_and_names_the_right() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let sidecar = rig.sidecar(0);
    sidecar.reconfigure(|config| config["scope"] = json!({"label": LABEL}))?;
    sidecar.service().kill().await?;
    sidecar.service().restart()?;
    let text = poll::until(SOON, "the rights are checked", async || {
        let Ok(readiness) = sidecar.readiness().await else { return Ok(None) };
        Ok(readiness.text().contains("missing in the whole cluster").then(|| readiness.text()))
    })
    .await?;
    for right in ["list namespaces", "watch namespaces", "scope.label"] {
        assert!(text.contains(right), "{text}");
    }
    // Whoever reaches it gets "send again", and nothing begins.
    let response = send(&rig, about(rig.namespace(), "payment-api")).await?;
    assert!([200, 503].contains(&response.status.as_u16()), "{}", response.text());
    assert_eq!(writes(&rig), 0);
    rig.namespace().grant("scope", &SCOPE_RIGHTS).await?;
    sidecar.until_ready().await
}
