//! Applies the repository's own manifests, so that tests run with the shipped ones.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope, Resource};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The manifests that every overlay builds on, below the repository's root.
pub const BASE: &str = "deploy/base";
/// The CRD among them, below the repository's root.
pub const CRD: &str = "deploy/base/crd.yaml";

/// The admission policies among them, below the repository's root.
const POLICIES: &str = "deploy/base/admissionpolicy.yaml";

/// How long a new CRD may take to be served.
const SERVED_LIMIT: Duration = Duration::from_secs(30);

/// The repository's root.
pub fn repository() -> PathBuf {
    // This crate is `tests/kit`.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The documents of a YAML file below the repository's root.
///
/// # Errors
/// If the file cannot be read or is not YAML.
pub fn documents(path: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(repository().join(path)).with_context(|| format!("cannot read {path}"))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("{path} is not valid YAML"))
}

fn rr_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kubernaut.ai", "v1alpha1", "RemediationRequest"))
}

/// Whether the API server serves RRs, of whatever CRD.
///
/// # Errors
/// If it says neither yes nor no.
pub async fn is_crd_served(client: &Client) -> Result<bool> {
    match Api::<DynamicObject>::all_with(client.clone(), &rr_resource()).list(&ListParams::default().limit(1)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error).context("cannot list RemediationRequests"),
    }
}

/// Applies the CRD in the file `path` below the repository's root, and waits until the API server serves it.
///
/// # Errors
/// If the API server rejects it or does not serve it in time.
pub async fn apply_crd(client: &Client, path: &str) -> Result<()> {
    for crd in documents(path)? {
        apply::<CustomResourceDefinition>(Api::all(client.clone()), &crd).await?;
    }
    let resource = rr_resource();
    let served = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let poll = async {
        // The condition Established comes before the storage is ready; the tests need a list that works.
        while served.list(&ListParams::default().limit(1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SERVED_LIMIT, poll).await.context("the API server does not serve the CRD")?;
    // The first create after a CRD is applied takes two seconds. This one is a dry run that is invalid for its empty
    // spec, so that no test or demo measures it.
    let empty = DynamicObject::new("warm-up", &resource).data(serde_json::json!({ "spec": {} }));
    let requests = Api::<DynamicObject>::namespaced_with(client.clone(), "default", &resource);
    match requests.create(&PostParams { dry_run: true, ..PostParams::default() }, &empty).await {
        Err(kube::Error::Api(status)) if status.is_invalid() => Ok(()),
        other => bail!("the API server accepts an RR with an empty spec: {other:?}"),
    }
}

/// Applies the admission policies of the base, which confine every sidecar in the cluster: not for a user's.
///
/// # Errors
/// If the API server rejects a manifest.
pub async fn apply_policies(client: &Client) -> Result<()> {
    for document in documents(POLICIES)? {
        match document["kind"].as_str() {
            Some("ValidatingAdmissionPolicy") => {
                apply_all::<ValidatingAdmissionPolicy>(client, &document).await?;
            }
            _ => drop(apply_all::<ValidatingAdmissionPolicyBinding>(client, &document).await?),
        }
    }
    Ok(())
}

/// Applies the ServiceAccount, roles and bindings of the base for `namespace`; returns the ServiceAccount's name.
///
/// # Errors
/// If the base has no ServiceAccount, or the API server rejects a manifest.
pub async fn apply_rbac(client: &Client, namespace: &str) -> Result<String> {
    let mut account = None;
    for path in yaml_files(BASE)? {
        for mut document in documents(&path)? {
            let Some(kind) = document["kind"].as_str().map(str::to_owned) else { continue };
            put_into(&mut document, namespace);
            match kind.as_str() {
                "ServiceAccount" => account = Some(apply_in::<ServiceAccount>(client, namespace, &document).await?),
                "Role" => drop(apply_in::<Role>(client, namespace, &document).await?),
                "RoleBinding" => drop(apply_in::<RoleBinding>(client, namespace, &document).await?),
                "ClusterRole" => drop(apply_all::<ClusterRole>(client, &document).await?),
                "ClusterRoleBinding" => {
                    document["metadata"]["name"] = cluster_binding(&document["metadata"]["name"], namespace).into();
                    apply_all::<ClusterRoleBinding>(client, &document).await?;
                }
                // Workloads and kustomizations have no effect in a cluster without nodes.
                _ => {}
            }
        }
    }
    account.with_context(|| format!("no ServiceAccount in {BASE}"))
}

/// The name of a ClusterRoleBinding of the base for the sidecar of one namespace: rigs share a cluster.
fn cluster_binding(name: &Value, namespace: &str) -> String {
    format!("{}-{namespace}", name.as_str().unwrap_or_default())
}

/// Deletes what [`apply_rbac`] has bound in the whole cluster for the sidecar of `namespace`. The ClusterRoles stay: others
/// may be bound to them.
///
/// # Errors
/// If the base cannot be read, or the API server rejects it.
pub async fn unbind(client: &Client, namespace: &str) -> Result<()> {
    let bindings = Api::<ClusterRoleBinding>::all(client.clone());
    for path in yaml_files(BASE)? {
        for document in documents(&path)?.iter().filter(|document| document["kind"] == "ClusterRoleBinding") {
            bindings
                .delete(&cluster_binding(&document["metadata"]["name"], namespace), &DeleteParams::default())
                .await?;
        }
    }
    Ok(())
}

fn yaml_files(dir: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(repository().join(dir)).with_context(|| format!("cannot read {dir}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            paths.push(format!("{dir}/{name}"));
        }
    }
    paths.sort();
    Ok(paths)
}

/// Does what kustomize's `namespace` does, for the few kinds that are applied here.
fn put_into(document: &mut Value, namespace: &str) {
    for subject in document.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if subject["kind"] == "ServiceAccount" {
            subject["namespace"] = namespace.into();
        }
    }
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("namespace");
    }
}

async fn apply_in<K>(client: &Client, namespace: &str, document: &Value) -> Result<String>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + Resource + Clone + Debug + DeserializeOwned,
{
    apply::<K>(Api::namespaced(client.clone(), namespace), document).await
}

async fn apply_all<K>(client: &Client, document: &Value) -> Result<String>
where
    K: kube::Resource<DynamicType = (), Scope = ClusterResourceScope> + Resource + Clone + Debug + DeserializeOwned,
{
    apply::<K>(Api::all(client.clone()), document).await
}

/// Server-side apply; returns the object's name.
async fn apply<K: Clone + Debug + DeserializeOwned + Resource>(api: Api<K>, document: &Value) -> Result<String> {
    let name = document["metadata"]["name"].as_str().context("a manifest without metadata.name")?;
    let applied = api.patch(name, &PatchParams::apply("onceway-tests").force(), &Patch::Apply(document)).await;
    applied.with_context(|| format!("the API server rejects the {} {name}", K::KIND))?;
    Ok(name.to_owned())
}
