//! Budgets on repairs, and what admission policies and quotas of the cluster deny.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams, PostParams};
use onceway_kit::client::ClientResponse;
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::time::timeout;

/// How long another program may take: the watch, a policy to be enforced.
const SOON: Duration = Duration::from_secs(30);

async fn limited(limits: serde_json::Value) -> Result<Rig> {
    Rig::replicas(1).config(json!({ "limits": limits })).start().await
}

/// One webhook with an alert of each incident.
async fn post(rig: &Rig, incidents: &[Incident]) -> Result<ClientResponse> {
    let alerts: Vec<Alert> = incidents.iter().map(|incident| incident.alert(0)).collect();
    rig.client().clone().alert(rig.sidecar(0).url(), webhook(&alerts)).await
}

async fn exceeded(rig: &Rig, limit: &str) -> Result<f64> {
    Ok(rig.sidecar(0).scrape().await?.sum("gateway_budget_exceeded_total", &[("limit", limit)]))
}

#[tokio::test]
async fn a_sender_that_goes_wild_starts_no_more_repairs_than_the_budget_and_known_incidents_go_on() -> Result<()> {
    let rig = limited(json!({ "maxActiveIncidents": 5 })).await?;
    let incidents = Incident::several("prod", 8);
    let response = post(&rig, &incidents).await?;
    assert_eq!((response.status.as_u16(), response.header("retry-after")), (503, Some("30")), "{}", response.text());
    assert!(response.text().contains("limits.maxActiveIncidents"), "{}", response.text());
    let rrs = rig.rrs().await?;
    assert_eq!((rrs.len(), exceeded(&rig, "limits.maxActiveIncidents").await?), (5, 3.0));

    let mut known = None;
    for incident in &incidents {
        let is_known = !rig.rrs_of(incident).await?.is_empty();
        assert_eq!(rig.alert(0, incident, 1).await?.status, if is_known { 202 } else { 503 });
        if is_known {
            known = Some(incident);
        }
    }
    assert!(rig.rrs().await?.iter().all(|rr| rr.count() == 2));

    // A repair that ends makes room for one.
    rig.finish_and_delete(known.context("an incident")?).await?;
    let fresh = Incident::new("prod", "fresh-api");
    let created = async || Ok((rig.alert(0, &fresh, 0).await?.status == 201).then_some(()));
    until(SOON, "the budget is free again", created).await?;
    assert_eq!(rig.rrs().await?.len(), 5);
    Ok(())
}

#[tokio::test]
async fn a_namespace_or_a_minute_that_is_used_up_holds_back_no_other() -> Result<()> {
    let rig = limited(json!({ "maxActiveIncidentsPerNamespace": 2, "maxNewIncidentsPerMinute": 3 })).await?;
    let prod = Incident::several("prod", 3);
    let response = post(&rig, &prod).await?;
    assert_eq!(response.status, 503);
    assert!(response.text().contains("limits.maxActiveIncidentsPerNamespace"), "{}", response.text());
    let other = Incident::several("test", 2);
    assert_eq!(rig.alert(0, &other[0], 0).await?.status, 201);
    let response = rig.alert(0, &other[1], 0).await?;
    assert_eq!(response.status, 503);
    assert!(response.text().contains("limits.maxNewIncidentsPerMinute"), "{}", response.text());
    let wait: u64 = response.header("retry-after").context("no Retry-After")?.parse()?;
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(rig.alert(0, &other[0], 1).await?.status, 202);
    Ok(())
}

/// Denies RRs about a Deployment `frozen-api` in this rig's namespace.
async fn freeze(rig: &Rig) -> Result<()> {
    let (client, namespace) = (rig.namespace().client().clone(), rig.namespace().name());
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": { "name": namespace },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": ["kubernaut.ai"], "apiVersions": ["*"], "operations": ["CREATE"],
                "resources": ["remediationrequests"],
            }] },
            "matchConditions": [{ "name": "here", "expression": format!("request.namespace == '{namespace}'") }],
            "validations": [{
                "expression": "object.spec.targetResource.name != 'frozen-api'",
                "message": "no repairs on Fridays",
            }],
        },
    }))?;
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": { "name": namespace },
        "spec": { "policyName": namespace, "validationActions": ["Deny"] },
    }))?;
    Api::all(client.clone()).create(&PostParams::default(), &policy).await?;
    Api::all(client).create(&PostParams::default(), &binding).await?;
    let probe = Incident::new("prod", "frozen-api");
    // The policy is not enforced at once: a probe that is not denied is removed.
    let mut n = 0;
    let denied = async || {
        n += 1;
        let Ok(rr) = rig.create_foreign(&probe, &format!("probe-{n}")).await else { return Ok(Some(())) };
        rig.rr_api().delete(rr.name(), &Default::default()).await?;
        Ok(None)
    };
    until(SOON, "the policy is enforced", denied).await
}

#[tokio::test]
async fn an_rr_that_a_policy_denies_is_rejected_and_a_retry_would_not_count_its_neighbours_again() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    freeze(&rig).await?;
    let (frozen, other) = (Incident::new("prod", "frozen-api"), Incident::new("prod", "payment-api"));
    let response = post(&rig, &[frozen.clone(), other.clone()]).await?;
    // 207 is final for Alertmanager: it does not send the webhook again.
    assert_eq!(response.status, 207, "{}", response.text());
    assert!(response.text().contains("an admission policy of the cluster forbids"), "{}", response.text());
    assert!(!response.text().contains("Fridays"), "{}", response.text());
    let counts: Vec<u64> = rig.rrs_of(&other).await?.iter().map(RrExt::count).collect();
    assert_eq!((counts, rig.rrs().await?.len()), (vec![1], 1));
    assert_eq!(rig.alert(0, &frozen, 0).await?.status, 403);
    let log = fs::read_to_string(rig.sidecar(0).service().process()?.log())?;
    assert!(log.contains("no repairs on Fridays"), "the log has the policy's words");
    let rejected = rig.sidecar(0).scrape().await?.sum("gateway_signals_rejected_total", &[("reason", "policy")]);
    assert!((rejected - 2.0).abs() < f64::EPSILON, "{rejected}");
    Ok(())
}

#[tokio::test]
async fn an_exceeded_quota_is_503_for_its_incident_alone() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (client, namespace) = (rig.namespace().client().clone(), rig.namespace().name());
    let incidents = Incident::several("prod", 2);
    assert_eq!(rig.alert(0, &incidents[0], 0).await?.status, 201);
    let quotas = Api::<ResourceQuota>::namespaced(client, namespace);
    let hard = json!({ "count/remediationrequests.kubernaut.ai": "1" });
    let quota: ResourceQuota =
        serde_json::from_value(json!({ "metadata": { "name": "rrs" }, "spec": { "hard": hard } }))?;
    quotas.create(&PostParams::default(), &quota).await?;
    // As the quota controller does, which does not run here.
    let status = json!({ "status": { "hard": hard, "used": hard } });
    quotas.patch_status("rrs", &PatchParams::default(), &Patch::Merge(status)).await?;
    let second = timeout(SOON, async {
        // The API server sees a new quota late.
        let mut n = 1;
        loop {
            let incident = Incident::new("prod", &format!("cart-api-v{n}"));
            let response = rig.alert(0, &incident, 0).await?;
            if response.status != 201 {
                return anyhow::Ok(response);
            }
            n += 1;
        }
    })
    .await
    .context("the quota is not enforced")??;
    assert_eq!(second.status, 503, "{}", second.text());
    assert!(!second.text().contains("quota"), "{}", second.text());
    assert_eq!(rig.alert(0, &incidents[0], 1).await?.status, 202);
    Ok(())
}
