//! Tokens of senders' service accounts, as a pod has them in a projected volume.

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use kube::api::{Api, PostParams};

use super::Cluster;

/// How long a token is valid; longer than any test or demo runs.
const TOKEN_SECONDS: i64 = 24 * 3600;

impl Cluster {
    /// A token of the service account `account` in `namespace` for `audience`. Creates the account if it is missing.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn service_account_token(&self, namespace: &str, account: &str, audience: &str) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client()?, namespace);
        let mut object = ServiceAccount::default();
        object.metadata.name = Some(account.to_owned());
        match accounts.create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            created => drop(created.with_context(|| format!("cannot create the service account {account}"))?),
        }
        issue(accounts, account, audience).await
    }

    /// Shows the public keys of service accounts' tokens to everybody, as `envoy/onceway-auth.yaml` requires.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn show_issuer_keys(&self) -> Result<()> {
        let mut binding = ClusterRoleBinding {
            role_ref: RoleRef {
                api_group: Some("rbac.authorization.k8s.io".to_owned()),
                kind: "ClusterRole".to_owned(),
                name: "system:service-account-issuer-discovery".to_owned(),
            },
            subjects: Some(vec![Subject {
                api_group: Some("rbac.authorization.k8s.io".to_owned()),
                kind: "Group".to_owned(),
                name: "system:unauthenticated".to_owned(),
                namespace: None,
            }]),
            ..ClusterRoleBinding::default()
        };
        binding.metadata.name = Some("onceway-issuer-discovery".to_owned());
        match Api::all(self.client()?).create(&PostParams::default(), &binding).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            created => created.map(drop).context("cannot bind the role for the issuer's discovery"),
        }
    }
}

/// A token of this account for `audience`.
pub(super) async fn issue(accounts: Api<ServiceAccount>, account: &str, audience: &str) -> Result<String> {
    let spec = TokenRequestSpec {
        audiences: Some(vec![audience.to_owned()]),
        expiration_seconds: Some(TOKEN_SECONDS),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let issued = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let status = issued.with_context(|| format!("no token for the service account {account}"))?.status;
    status.and_then(|status| status.token).context("a TokenRequest without a token")
}
