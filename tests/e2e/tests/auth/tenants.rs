//! Two tenants that cannot signal about each other; rights that are given, revoked and rotated.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::alertmanager::{Alertmanager, Receiver};
use onceway_kit::client::Client;
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;

use super::{send, tenant};
use crate::split::results;

#[tokio::test]
async fn two_tenants_cannot_signal_about_each_other_through_a_sidecar_or_through_the_split() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_auth().start().await?;
    let (shop, _, of_shop) = tenant(&rig, "shop").await?;
    let (bank, bank_namespace, of_bank) = tenant(&rig, "bank").await?;
    let (shop_token, bank_token) = (shop.token().await?, bank.token().await?);
    for base in [rig.sidecar(0).url(), rig.envoy().url()] {
        let denied = send(&base, &shop_token, &[&of_bank]).await?;
        assert_eq!(denied.status, 403, "{}", denied.text());
        let detail = format!("the sender may not signal about namespace \"{bank_namespace}\"");
        assert_eq!(denied.json()["detail"], detail);
        assert_eq!(send(&base, &bank_token, &[&of_shop]).await?.status, 403);

        let both = send(&base, &shop_token, &[&of_bank, &of_shop]).await?;
        assert_eq!(both.status, 207, "{}", both.text());
        let outcomes = results(&both);
        assert_eq!((&outcomes[0]["status"], &outcomes[0]["denial"]), (&json!("rejected"), &json!("forbidden")));
        assert_eq!(outcomes[0]["fingerprint"], of_bank.fingerprint().to_string());
        assert_eq!(outcomes[0]["message"], detail);
        let counted = [&json!("created"), &json!("duplicate")].contains(&&outcomes[1]["status"]);
        assert!(counted && both.json()["summary"]["rejected"] == 1, "{}", both.text());

        let none = send(&base, &shop_token, &[&of_bank, &Incident::new(&bank_namespace, "other-api")]).await?;
        assert_eq!(none.status, 403, "{}", none.text());
        assert_eq!(results(&none).len(), 2);
    }
    assert!(rig.rrs_of(&of_bank).await?.is_empty());
    let rrs = rig.rrs_of(&of_shop).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
    assert_eq!(send(&rig.envoy().url(), &bank_token, &[&of_bank]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn what_has_no_namespace_needs_a_right_for_the_whole_cluster() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let (tenant, _, incident) = tenant(&rig, "shop").await?;
    let everyone = rig.namespace().sender("everyone").await?;
    everyone.permit_everything().await?;
    let base = rig.sidecar(0).url();
    let (tenant, everyone) = (tenant.token().await?, everyone.token().await?);
    let node = || webhook(&[Alert::firing("NodeDown").label("node", "control-plane-1")]);
    let post = async |token: &str, body| Client::new().with_token(token).alert(base.clone(), body).await;
    let denied = post(&tenant, node()).await?;
    assert_eq!(denied.status, 403, "{}", denied.text());
    assert_eq!(denied.json()["detail"], "the sender may not signal about objects without a namespace");
    assert_eq!(post(&everyone, node()).await?.status, 201);
    assert_eq!(post(&everyone, incident.webhook(0)).await?.status, 201);
    assert_eq!(rig.rrs().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_revoked_right_ends_within_the_time_that_it_is_cached() -> Result<()> {
    let ttl = Duration::from_secs(3);
    let rig = Rig::replicas(1).with_auth().config(json!({"auth": {"cacheTtl": "3s"}})).start().await?;
    let (sender, namespace, incident) = tenant(&rig, "shop").await?;
    let (base, token) = (rig.sidecar(0).url(), sender.token().await?);
    assert_eq!(send(&base, &token, &[&incident]).await?.status, 201);
    sender.revoke(&namespace).await?;
    // The API server itself applies a deleted binding within milliseconds; the rest is for a loaded machine.
    let limit = ttl + Duration::from_secs(20);
    let gets = async |status: u16| {
        let response = async || Ok((send(&base, &token, &[&incident]).await?.status == status).then_some(()));
        until(limit, &format!("the sender gets {status}"), response).await
    };
    gets(403).await?;
    sender.permit(&namespace).await?;
    gets(202).await
}

#[tokio::test]
async fn a_new_token_is_accepted_at_once() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let base = rig.sidecar(0).url();
    assert_eq!(send(&base, &sender.token().await?, &[&incident]).await?.status, 201);
    for _ in 0..5 {
        assert_eq!(send(&base, &sender.token().await?, &[&incident]).await?.status, 202);
    }
    Ok(())
}

#[tokio::test]
async fn with_kubernauts_check_one_right_permits_everything() -> Result<()> {
    let config = json!({"auth": {"authorization": "gateway", "audiences": []}});
    let rig = Rig::replicas(1).with_auth().config(config).start().await?;
    let (sender, _, incident) = tenant(&rig, "shop").await?;
    let (base, own) = (rig.sidecar(0).url(), rig.namespace().name().to_owned());
    let audience = "https://kubernetes.default.svc";
    let token = sender.token_for(audience).await?;
    let denied = send(&base, &token, &[&incident]).await?;
    assert_eq!(denied.status, 403, "the right to signal is none to use the gateway: {}", denied.text());
    let other = rig.namespace().sender("alertmanager").await?;
    let bind = json!([
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "gateway"},
            "rules": [{"apiGroups": [""], "resources": ["services"], "resourceNames": ["gateway-service"], "verbs": ["create"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "gateway"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gateway"},
            "subjects": [{"kind": "ServiceAccount", "name": "alertmanager", "namespace": own}]},
    ]);
    let client = rig.namespace().client();
    for (document, plural) in bind.as_array().into_iter().flatten().zip(["roles", "rolebindings"]) {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{own}/{plural}");
        let request = http::Request::post(path).header("content-type", "application/json");
        client.request::<serde_json::Value>(request.body(document.to_string().into_bytes())?).await?;
    }
    let token = other.token_for(audience).await?;
    let (node, system) = (Alert::firing("NodeDown").label("node", "worker-1"), Incident::new("kube-system", "coredns"));
    let response = Client::new().with_token(&token).alert(base, webhook(&[node, system.alert(0)])).await?;
    assert_eq!((response.status.as_u16(), rig.rrs().await?.len()), (207, 2), "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn a_real_alertmanager_sends_the_token_in_its_credentials_file() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_auth().start().await?;
    let (sender, namespace, _) = tenant(&rig, "shop").await?;
    let path = rig.dir().join("alertmanager.token");
    std::fs::write(&path, sender.token().await?)?;
    let receiver = Receiver::at(rig.envoy().url()).group_by(&["namespace"]).credentials_file(&path);
    let alertmanager = Alertmanager::start("alertmanager", rig.dir(), receiver).await?;
    let incidents = Incident::several(&namespace, 6);
    let alerts: Vec<Alert> = incidents.iter().map(|incident| incident.alert(0).just_begun()).collect();
    alertmanager.post(&alerts).await?;
    let sent = alertmanager.until(|sent| sent.acknowledged() == 1).await?;
    assert_eq!(sent.given_up, 0, "{sent:?}");
    assert_eq!(rig.rrs().await?.len(), 6);
    // It reads the file again for each request: a token that is not valid is given up at once, not retried.
    std::fs::write(&path, "revoked")?;
    let other = Incident::new(&namespace, "late-api");
    alertmanager.post(&[other.alert(0).just_begun()]).await?;
    alertmanager.until(|sent| sent.given_up > 0).await?;
    std::fs::write(&path, sender.token().await?)?;
    // The group is sent again at its next interval, with the new token.
    alertmanager.until(|sent| sent.acknowledged() >= 2).await?;
    assert_eq!(rig.rrs_of(&other).await?.len(), 1);
    Ok(())
}
