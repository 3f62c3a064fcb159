//! Applies manifests, as `kubectl apply --server-side` does.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Client, discovery};
use onceway_kit::poll;
use serde_json::Value;

/// The owner of what is applied.
const FIELD_MANAGER: &str = "gateway-tests";
/// How long new CRDs may take to be served.
const SERVED_LIMIT: Duration = Duration::from_secs(60);

/// Applies an object to the namespace that it names, if it names one.
///
/// # Errors
/// If the API server rejects it.
pub async fn apply(client: &Client, object: &Value) -> Result<()> {
    let text = |field: &Value| field.as_str().map(str::to_owned);
    let name = text(&object["metadata"]["name"]).context("a manifest without metadata.name")?;
    let kind = text(&object["kind"]).context("a manifest without kind")?;
    let (group, version) = match object["apiVersion"].as_str().context("a manifest without apiVersion")?.split_once('/')
    {
        Some((group, version)) => (group, version),
        None => ("", object["apiVersion"].as_str().unwrap_or_default()),
    };
    let gvk = GroupVersionKind::gvk(group, version, &kind);
    let (resource, _) = discovery::pinned_kind(client, &gvk).await.with_context(|| format!("{kind} is not served"))?;
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let applied = api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object)).await;
    applied.map(drop).with_context(|| format!("the API server rejects the {kind} {name}"))
}

/// Applies the cluster-wide definitions in this YAML as they are, and waits until the API server serves all CRDs among them. They
/// are megabytes, which the API server reads faster than we would.
///
/// # Errors
/// If the API server rejects one, or a CRD is not served in time.
pub async fn apply_definitions(client: &Client, yaml: &str) -> Result<()> {
    let documents = yaml.split("\n---").filter(|document| document.contains("\nkind: "));
    try_join_all(documents.map(|document| apply_definition(client, document))).await?;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    poll::until(SERVED_LIMIT, "the API server serves all CRDs", async || {
        let all = crds.list(&ListParams::default()).await?;
        Ok(all.iter().all(is_established).then_some(()))
    })
    .await
}

async fn apply_definition(client: &Client, yaml: &str) -> Result<()> {
    let field =
        |start: &str| yaml.lines().find_map(|line| line.strip_prefix(start)).map(|value| value.trim_matches('"'));
    let kind = field("kind: ").context("a manifest without kind")?;
    // Of `metadata`, the only map at the top whose fields include a name.
    let name = field("  name: ").with_context(|| format!("a {kind} without a name"))?;
    let path = match kind {
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1/customresourcedefinitions",
        "ValidatingAdmissionPolicy" => "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding" => "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        other => anyhow::bail!("{name} is a {other}, which is no definition"),
    };
    let request = http::Request::patch(format!("/apis/{path}/{name}?fieldManager={FIELD_MANAGER}&force=true"))
        .header("content-type", "application/apply-patch+yaml")
        .body(yaml.as_bytes().to_vec())?;
    let applied = client.request_text(request).await;
    applied.map(drop).with_context(|| format!("the API server rejects the {kind} {name}"))
}

fn is_established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}
