//! A namespace of its own for each test, with the sidecar's account and rights in it.

use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Client;
use kube::api::{Api, PostParams};

use super::{Cluster, deploy};

/// How long a sidecar's token is valid; longer than any test, demo or soak runs.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// A namespace with the ServiceAccount, Role and binding of `deploy/base`.
///
/// It is left behind when dropped: a cluster without controllers would never finish deleting it, and it goes with the
/// cluster.
pub struct Namespace {
    cluster: Arc<Cluster>,
    client: Client,
    name: String,
    account: String,
    token: String,
}

impl Namespace {
    pub(super) async fn set_up(cluster: Arc<Cluster>, client: Client, name: String) -> Result<Self> {
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

    /// A client that may do everything.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Another token of the sidecar's ServiceAccount, which dies with the Secret of this name.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn token_bound_to(&self, secret: &Secret) -> Result<String> {
        let bound = BoundObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Secret".into()),
            name: secret.metadata.name.clone(),
            uid: secret.metadata.uid.clone(),
        };
        request_token(&self.client, &self.name, &self.account, Some(bound)).await
    }

    /// A token of the sidecar's ServiceAccount: what it opens is what `deploy/base` grants.
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
