//! Senders: ServiceAccounts with the right to signal about some namespaces.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use super::tokens::issue;
use super::{Namespace, deploy};

/// The audience of senders' tokens, as `auth.audiences` has it by default.
pub const AUDIENCE: &str = "onceway";
/// The senders' ClusterRole of `deploy/chart`.
const SENDER_ROLE: &str = "onceway-sender";
/// A sender's ServiceAccount; it has no right until [`SenderAccount::permit`].
#[derive(Clone)]
pub struct SenderAccount {
    client: Client,
    namespace: String,
    name: String,
}

impl Namespace {
    /// Creates a ServiceAccount of this name for a sender.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn sender(&self, name: &str) -> Result<SenderAccount> {
        let (client, namespace) = (self.client().clone(), self.name().to_owned());
        let account: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        let accounts = Api::namespaced(client.clone(), &namespace);
        accounts.create(&PostParams::default(), &account).await.context("cannot create a ServiceAccount")?;
        Ok(SenderAccount { client, namespace, name: name.to_owned() })
    }

    /// Creates another namespace, with nothing in it; returns its name, which starts with `label`.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn another(&self, label: &str) -> Result<String> {
        let mut object = NamespaceObject::default();
        object.metadata.generate_name = Some(format!("{label}-"));
        let created = Api::all(self.client().clone()).create(&PostParams::default(), &object).await;
        created.context("cannot create a namespace")?.metadata.name.context("a namespace without a name")
    }
}

impl SenderAccount {
    /// Its user name.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// A new token.
    ///
    /// # Errors
    /// If the API server issues none.
    pub async fn token(&self) -> Result<String> {
        self.token_for(AUDIENCE).await
    }

    /// A new token for this audience.
    ///
    /// # Errors
    /// If the API server issues none.
    pub async fn token_for(&self, audience: &str) -> Result<String> {
        issue(Api::namespaced(self.client.clone(), &self.namespace), &self.name, audience).await
    }

    /// Lets it signal about `namespace`.
    ///
    /// # Errors
    /// If the API server rejects the binding.
    pub async fn permit(&self, namespace: &str) -> Result<()> {
        let binding: RoleBinding = serde_json::from_value(self.binding())?;
        let bindings = Api::namespaced(self.client.clone(), namespace);
        bindings.create(&PostParams::default(), &binding).await.context("cannot bind the sender's role")?;
        Ok(())
    }

    /// Takes that right away.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn revoke(&self, namespace: &str) -> Result<()> {
        let bindings = Api::<RoleBinding>::namespaced(self.client.clone(), namespace);
        bindings.delete(&self.binding_name(), &DeleteParams::default()).await?;
        Ok(())
    }

    /// Lets it signal about everything.
    ///
    /// # Errors
    /// If the API server rejects the binding.
    pub async fn permit_everything(&self) -> Result<()> {
        let binding: ClusterRoleBinding = serde_json::from_value(self.binding())?;
        let bindings = Api::all(self.client.clone());
        bindings.create(&PostParams::default(), &binding).await.context("cannot bind the sender's role")?;
        Ok(())
    }

    fn binding_name(&self) -> String {
        format!("{}-{}", self.namespace, self.name)
    }

    fn binding(&self) -> Value {
        let role = deploy::cluster_name(SENDER_ROLE, &self.namespace);
        json!({
            "metadata": { "name": self.binding_name() },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": self.name, "namespace": self.namespace }],
        })
    }
}
