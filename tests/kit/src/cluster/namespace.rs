//! A namespace for each test, with the sidecar's account and rights in it.

use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use onceway::health::permissions::Right;
use serde_json::json;

use super::{Cluster, deploy};

/// How long a sidecar's token is valid; longer than any test, demo or soak runs.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// A namespace with the ServiceAccount, Role and binding of `deploy/chart`.
///
/// It is not deleted when dropped: a cluster without controllers would never finish that. It ends with the cluster.
pub struct Namespace {
    cluster: Arc<Cluster>,
    client: Client,
    name: String,
    account: String,
    token: String,
}

impl Cluster {
    /// Creates a namespace whose name starts with `label`, with the sidecar's account and rights in it.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn namespace(self: &Arc<Self>, label: &str) -> Result<Namespace> {
        let client = self.client()?;
        let mut object = NamespaceObject::default();
        object.metadata.generate_name = Some(format!("{label}-"));
        let created = Api::all(client.clone()).create(&PostParams::default(), &object).await;
        let name = created.context("cannot create a namespace")?.metadata.name.context("a namespace without a name")?;
        Namespace::set_up(Arc::clone(self), client, name).await
    }
}

impl Cluster {
    /// The namespace of this name, which exists, with the sidecar's account and rights in it.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn existing_namespace(self: &Arc<Self>, name: &str) -> Result<Namespace> {
        let client = self.client()?;
        Namespace::set_up(Arc::clone(self), client, name.to_owned()).await
    }
}

impl Namespace {
    async fn set_up(cluster: Arc<Cluster>, client: Client, name: String) -> Result<Self> {
        let account = deploy::apply_rbac(&client, &name).await?;
        let token = request_token(&client, &name, &account, None).await?;
        Ok(Self { cluster, client, name, account, token })
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Deletes it with all that is in it and the sidecar's rights in the whole cluster, in a cluster with a namespace controller.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn delete(&self) -> Result<()> {
        deploy::unbind(&self.client, &self.name).await?;
        let namespaces = Api::<NamespaceObject>::all(self.client.clone());
        let deleted = namespaces.delete(&self.name, &DeleteParams::default()).await;
        deleted.map(drop).with_context(|| format!("cannot delete the namespace {}", self.name))
    }

    /// Labels the namespace.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn label(&self, label: &str, value: &str) -> Result<()> {
        let namespaces = Api::<NamespaceObject>::all(self.client.clone());
        let patch = Patch::Merge(json!({ "metadata": { "labels": { label: value } } }));
        let labelled = namespaces.patch(&self.name, &PatchParams::default(), &patch).await;
        labelled.map(drop).with_context(|| format!("cannot label the namespace {}", self.name))
    }

    /// Gives the sidecar more rights in the whole cluster; `name` tells them from others.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn grant(&self, name: &str, rights: &[Right]) -> Result<()> {
        deploy::grant(&self.client, &self.name, &self.account, name, rights).await
    }

    /// Takes rights from the sidecar that the chart grants it in the whole cluster: those of the ClusterRole of this name.
    ///
    /// # Errors
    /// If there is none, or the API server does not respond.
    pub async fn revoke(&self, role: &str) -> Result<()> {
        let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
        let name = deploy::cluster_name(role, &self.name);
        let deleted = bindings.delete(&name, &DeleteParams::default()).await;
        deleted.map(drop).with_context(|| format!("cannot delete the binding {name}"))
    }

    /// A client with the rights of the sidecar.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn sidecars_client(&self) -> Result<Client> {
        self.cluster.client_of(&self.token)
    }

    /// A client with all rights.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Another token of the sidecar's ServiceAccount; deleting the Secret invalidates it.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn token_bound_to(&self, secret: &Secret) -> Result<String> {
        let bound = BoundObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Secret".into()),
            name: secret.metadata.name.clone(),
            uid: secret.metadata.uid.clone(),
        };
        request_token(&self.client, &self.name, &self.account, Some(bound)).await
    }

    /// A token of the sidecar's ServiceAccount, with the rights that `deploy/chart` grants.
    pub fn token(&self) -> &str {
        &self.token
    }
}

async fn request_token(
    client: &Client,
    namespace: &str,
    account: &str,
    bound_object_ref: Option<BoundObjectReference>,
) -> Result<String> {
    let expiration_seconds = Some(TOKEN_SECONDS);
    let spec = TokenRequestSpec { expiration_seconds, bound_object_ref, ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let issued = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let status = issued.context("no token for the sidecar's ServiceAccount")?.status;
    status.and_then(|status| status.token).context("a TokenRequest without a token")
}
