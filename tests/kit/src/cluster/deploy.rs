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
use onceway::health::permissions::Right;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What the chart `deploy/chart` renders for the sidecars, below the repository's root: no helm is needed to read it.
pub const RENDERED: &str = "deploy/rendered/onceway.yaml";
/// Our CRD, below the repository's root.
pub const CRD: &str = "deploy/chart-crds/templates/crd.yaml";
/// kubernaut's CRD, below the repository's root.
pub const KUBERNAUTS_CRD: &str = "tests/kit/kubernaut/remediationrequests-crd.yaml";
/// Which CRD rigs run with: `onceway`, the default, or `kubernaut`.
const CRD_VARIABLE: &str = "ONCEWAY_CRD";

/// The account that its admission policies confine: that of one release. Rigs share a cluster and its policies, and each
/// has an account of this name in a namespace of its own.
const ONE_ACCOUNT: &str = "request.userInfo.username == 'system:serviceaccount:onceway:onceway'";
/// The same for the accounts of all rigs. A test by Helm shows that one release's policies confine its account alone.
const EVERY_ACCOUNT: &str = "request.userInfo.username.startsWith('system:serviceaccount:') && \
                             request.userInfo.username.endsWith(':onceway')";

/// What its policy of Leases demands, and what it demands of a namespace whose sidecars have `migration.kubernautLocks`: in the
/// chart a value decides, in a cluster of rigs the namespace. A test by Helm shows that the chart renders either.
const OWN_LEASES: &str = "(request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith('onceway-')";
/// The same where a rig's sidecars run beside kubernaut's gateway.
const LEASES_OF_RIGS: &str = "(request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith('onceway-') || \
                              request.namespace.startsWith('beside-kubernaut-') && \
                              (request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith('gw-lock-')";
/// How the names of namespaces begin whose sidecars have `migration.kubernautLocks`.
pub const BESIDE_KUBERNAUT: &str = "beside-kubernaut";

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

/// The CRD that the rigs of this process run with, below the repository's root: ours, or kubernaut's with
/// `ONCEWAY_CRD=kubernaut` in the environment.
///
/// # Errors
/// If the variable names another one.
pub fn crd() -> Result<&'static str> {
    match std::env::var(CRD_VARIABLE).as_deref() {
        Err(_) | Ok("" | "onceway") => Ok(CRD),
        Ok("kubernaut") => Ok(KUBERNAUTS_CRD),
        Ok(other) => bail!("{CRD_VARIABLE} is {other:?}; it names a CRD: onceway (the default) or kubernaut"),
    }
}

/// Whether the rigs of this process run with our CRD, which keeps the signal list.
///
/// # Errors
/// Those of [`crd`].
pub fn is_our_crd() -> Result<bool> {
    Ok(crd()? == CRD)
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

/// Applies the admission policies of the chart, for every sidecar in the cluster: not for a user's.
///
/// # Errors
/// If the API server rejects a manifest, or the policies confine another account than they did.
pub async fn apply_policies(client: &Client) -> Result<()> {
    for mut document in documents(RENDERED)? {
        match document["kind"].as_str() {
            Some("ValidatingAdmissionPolicy") => {
                let condition = document.pointer_mut("/spec/matchConditions/0/expression");
                let condition = condition.filter(|condition| *condition == ONE_ACCOUNT);
                *condition.with_context(|| format!("{RENDERED}: a policy without {ONE_ACCOUNT}"))? =
                    EVERY_ACCOUNT.into();
                if let Some(leases) = document.pointer_mut("/spec/validations/0/expression")
                    && leases == OWN_LEASES
                {
                    *leases = LEASES_OF_RIGS.into();
                }
                apply_all::<ValidatingAdmissionPolicy>(client, &document).await?;
            }
            Some("ValidatingAdmissionPolicyBinding") => {
                apply_all::<ValidatingAdmissionPolicyBinding>(client, &document).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Applies the ServiceAccount, roles and bindings of the chart for `namespace`; returns the ServiceAccount's name.
///
/// # Errors
/// If the chart has no ServiceAccount, or the API server rejects a manifest.
pub async fn apply_rbac(client: &Client, namespace: &str) -> Result<String> {
    let mut account = None;
    for mut document in documents(RENDERED)? {
        let Some(kind) = document["kind"].as_str().map(str::to_owned) else { continue };
        put_into(&mut document, namespace);
        match kind.as_str() {
            "ServiceAccount" => account = Some(apply_in::<ServiceAccount>(client, namespace, &document).await?),
            "Role" => drop(apply_in::<Role>(client, namespace, &document).await?),
            "RoleBinding" => drop(apply_in::<RoleBinding>(client, namespace, &document).await?),
            "ClusterRole" => {
                rename(&mut document["metadata"]["name"], namespace);
                apply_all::<ClusterRole>(client, &document).await?;
            }
            "ClusterRoleBinding" => {
                rename(&mut document["metadata"]["name"], namespace);
                rename(&mut document["roleRef"]["name"], namespace);
                apply_all::<ClusterRoleBinding>(client, &document).await?;
            }
            // Workloads have no effect in a cluster without nodes.
            _ => {}
        }
    }
    account.with_context(|| format!("no ServiceAccount in {RENDERED}"))
}

/// Grants `rights` in the whole cluster to the account of the sidecar of `namespace`.
///
/// # Errors
/// If the API server rejects it.
pub(super) async fn grant(client: &Client, namespace: &str, account: &str, name: &str, rights: &[Right]) -> Result<()> {
    let name = cluster_name(&format!("tests-{name}"), namespace);
    let rules: Vec<Value> = rights
        .iter()
        .map(|right| json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb] }))
        .collect();
    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": name }, "rules": rules });
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }] });
    apply_all::<ClusterRole>(client, &role).await?;
    apply_all::<ClusterRoleBinding>(client, &binding).await.map(drop)
}

/// The name of a cluster-scoped object of the chart for a release in `namespace`, as the chart has it there: rigs share a
/// cluster, and a user's may have a release of its own.
pub(super) fn cluster_name(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}")
}

pub(super) fn rename(name: &mut Value, namespace: &str) {
    *name = cluster_name(name.as_str().unwrap_or_default(), namespace).into();
}

/// Deletes what [`apply_rbac`] has made in the whole cluster for the sidecar of `namespace`.
///
/// # Errors
/// If the manifests cannot be read, or the API server rejects it.
pub async fn unbind(client: &Client, namespace: &str) -> Result<()> {
    let (roles, bindings) = (Api::<ClusterRole>::all(client.clone()), Api::<ClusterRoleBinding>::all(client.clone()));
    for document in documents(RENDERED)? {
        let name = cluster_name(document["metadata"]["name"].as_str().unwrap_or_default(), namespace);
        match document["kind"].as_str() {
            Some("ClusterRole") => drop(roles.delete(&name, &DeleteParams::default()).await?),
            Some("ClusterRoleBinding") => drop(bindings.delete(&name, &DeleteParams::default()).await?),
            _ => {}
        }
    }
    Ok(())
}

/// Puts a manifest of the namespace `onceway` into another, for the few kinds that are applied here.
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

pub(super) async fn apply_all<K>(client: &Client, document: &Value) -> Result<String>
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
