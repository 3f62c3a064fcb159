//! Install, upgrade, rollback, uninstall, and two releases at once.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use onceway_kit::cluster::Cluster;
use onceway_kit::poll;
use serde_json::{Value, json};
use std::time::Duration;

use super::{CHART, Helm, IMAGES};

/// How long the API server may take to enforce a new policy.
const ENFORCED: Duration = Duration::from_secs(30);
/// Everything of the chart that a cluster without the Prometheus operator and without gateways serves.
const PLAIN_ENVOY: [&str; 2] = ["--set", "gateway.kind=envoy"];

/// The checksum of the configuration that the sidecars' pods have.
async fn checksum(helm: &Helm, namespace: &str) -> Result<String> {
    let deployment = Api::<Deployment>::namespaced(helm.client(), namespace).get("onceway").await?;
    let template = deployment.spec.context("a spec")?.template.metadata.context("metadata")?;
    template.annotations.context("annotations")?.remove("checksum/config").context("no checksum")
}

/// Which of these manifests exist.
async fn existing(helm: &Helm, manifests: &[Value], namespace: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in manifests {
        let [version, kind, name] =
            ["/apiVersion", "/kind", "/metadata/name"].map(|place| manifest.pointer(place).and_then(Value::as_str));
        let (version, kind, name) = (version.context("a version")?, kind.context("a kind")?, name.context("a name")?);
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let namespaced = manifest["metadata"].get("namespace").is_some();
        let objects = if namespaced {
            Api::<DynamicObject>::namespaced_with(helm.client(), namespace, &resource)
        } else {
            Api::all_with(helm.client(), &resource)
        };
        if objects.get_opt(name).await?.is_some() {
            found.push(format!("{kind} {name}"));
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_release_is_installed_upgraded_rolled_back_and_uninstalled_without_a_trace() -> Result<()> {
    let helm = Helm::of(&Cluster::shared().await?)?;
    let namespace = helm.namespace().await?;
    let release = ["onceway", CHART, "--namespace", &namespace];
    helm.run(&[&["install"], &release[..], &IMAGES, &PLAIN_ENVOY].concat()).await?;
    let manifests: Vec<Value> =
        serde_saphyr::from_multiple(&helm.run(&["get", "manifest", "onceway", "--namespace", &namespace]).await?)?;
    let manifests: Vec<Value> = manifests.into_iter().filter(|manifest| !manifest.is_null()).collect();
    assert_eq!(existing(&helm, &manifests, &namespace).await?.len(), manifests.len());
    let installed = checksum(&helm, &namespace).await?;

    // The same again: the pods stay.
    helm.run(&[&["upgrade"], &release[..], &IMAGES, &PLAIN_ENVOY].concat()).await?;
    assert_eq!(checksum(&helm, &namespace).await?, installed);
    let changed = ["--set", "config.log.level=debug"];
    helm.run(&[&["upgrade"], &release[..], &IMAGES, &PLAIN_ENVOY, &changed].concat()).await?;
    assert_ne!(checksum(&helm, &namespace).await?, installed, "a changed configuration rolls the pods");

    helm.run(&["rollback", "onceway", "1", "--namespace", &namespace]).await?;
    assert_eq!(checksum(&helm, &namespace).await?, installed);

    helm.run(&["uninstall", "onceway", "--namespace", &namespace]).await?;
    assert_eq!(existing(&helm, &manifests, &namespace).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn two_releases_of_one_name_live_in_two_namespaces_and_each_confines_its_own_account() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let helm = Helm::of(&cluster)?;
    let namespaces = [helm.namespace().await?, helm.namespace().await?];
    for namespace in &namespaces {
        // The kit's own policies confine accounts called `onceway`; these are the chart's.
        let release = ["install", "pair", CHART, "--namespace", namespace, "--set", "fullnameOverride=pair"];
        helm.run(&[&release[..], &IMAGES].concat()).await?;
    }
    for namespace in &namespaces {
        let accounts = Api::<ServiceAccount>::namespaced(helm.client(), namespace);
        let request = TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
        let issued = accounts.create_token_request("pair", &PostParams::default(), &request).await?;
        let token = issued.status.and_then(|status| status.token).context("a TokenRequest without a token")?;
        let leases = Api::<Lease>::namespaced(cluster.client_of(&token)?, namespace);
        // The policy may be enforced between a create and its undoing.
        let admin = Api::<Lease>::namespaced(helm.client(), namespace);
        let message = poll::until(ENFORCED, "the policies are enforced", async || {
            match leases.create(&PostParams::default(), &lease("foreign")?).await {
                Err(kube::Error::Api(status)) => return Ok(Some(status.message.clone())),
                Err(error) => return Err(error.into()),
                Ok(_) => drop(admin.delete("foreign", &DeleteParams::default()).await?),
            }
            Ok(None)
        })
        .await?;
        ensure!(message.contains(&format!("pair-leases.{namespace}")), "not by the release's policy: {message}");
        leases.create(&PostParams::default(), &lease("onceway-1")?).await?;
        helm.run(&["uninstall", "pair", "--namespace", namespace]).await?;
    }
    Ok(())
}

fn lease(name: &str) -> Result<Lease> {
    Ok(serde_json::from_value(json!({ "metadata": { "name": name } }))?)
}
