//! Where the contract is checked: a rig in the profile, a sender with the right, and shortcuts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use http::request::Builder;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use onceway_kit::client::ClientResponse;
use onceway_kit::cluster::{ISSUER, SenderAccount};
use onceway_kit::envoy::configure_filter;
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::json;

/// The label of what may be remediated.
pub(super) const MANAGED: &str = "kubernaut.ai/managed";
/// How long a new right or label may take to be known.
pub(super) const BOUND: Duration = Duration::from_secs(30);

/// A rig whose senders send to `base`.
pub(super) struct Place {
    pub(super) rig: Rig,
    pub(super) base: String,
    /// Whether Envoy is in front.
    pub(super) envoy: bool,
    token: String,
    incidents: AtomicUsize,
}

impl Place {
    pub(super) async fn direct() -> Result<Self> {
        let rig = Rig::replicas(1).with_auth().config(json!({ "profile": "kubernaut" })).start().await?;
        let base = rig.sidecar(0).url();
        Self::of(rig, base, false).await
    }

    pub(super) async fn behind_envoy() -> Result<Self> {
        let rig = Rig::replicas(2).with_auth().config(json!({ "profile": "kubernaut" }));
        let rig = rig.with_envoy_edited(|config| configure_filter(config, &json!({ "problem_types": "kubernaut" })));
        let rig = rig.start().await?;
        let base = rig.envoy().url();
        Self::of(rig, base, true).await
    }

    async fn of(rig: Rig, base: String, envoy: bool) -> Result<Self> {
        rig.namespace().label(MANAGED, "true").await?;
        let sender = rig.namespace().sender("alertmanager").await?;
        permit(&rig, "alertmanager").await?;
        let token = kubernaut_token(&sender).await?;
        let place = Self { rig, base, envoy, token, incidents: AtomicUsize::new(0) };
        poll::until(BOUND, "the sender has its right and the namespace its label", async || {
            let response = place.send(place.post(Source::Prometheus), place.incident().webhook(0)).await?;
            Ok((response.status == 201).then_some(()))
        })
        .await?;
        Ok(place)
    }

    /// An incident that no other check is about.
    pub(super) fn incident(&self) -> Incident {
        let number = self.incidents.fetch_add(1, Ordering::Relaxed);
        Incident::new(self.namespace(), &format!("api-{number}"))
    }

    /// The namespace that may be remediated.
    pub(super) fn namespace(&self) -> &str {
        self.rig.namespace().name()
    }

    /// A sender's request to the path of `source`, without a body.
    pub(super) fn post(&self, source: Source) -> Builder {
        self.untyped(source).header("content-type", "application/json")
    }

    /// The same without a Content-Type.
    pub(super) fn untyped(&self, source: Source) -> Builder {
        let request = Request::post(format!("{}{}", self.base, source.path()));
        request.header("authorization", format!("Bearer {}", self.token))
    }

    pub(super) async fn send(&self, request: Builder, body: impl Into<bytes::Bytes>) -> Result<ClientResponse> {
        self.rig.client().send(request, body).await
    }

    /// Sends a payload, and fails unless it gets this status.
    pub(super) async fn expect(
        &self,
        source: Source,
        body: impl Into<bytes::Bytes>,
        status: u16,
    ) -> Result<ClientResponse> {
        expect(self.send(self.post(source), body).await?, status)
    }

    /// A GET at this address.
    pub(super) async fn get(&self, address: std::net::SocketAddr, path: &str) -> Result<ClientResponse> {
        self.rig.client().get(&format!("http://{address}{path}")).await
    }

    /// Whether a replica's log has this text, soon.
    pub(super) async fn until_logged(&self, text: &str) -> Result<()> {
        poll::until(BOUND, "the log has it", async || {
            for sidecar in self.rig.sidecars() {
                let log = tokio::fs::read_to_string(sidecar.service().process()?.log()).await?;
                if log.contains(text) {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })
        .await
    }
}

/// The response, if it has this status.
pub(super) fn expect(response: ClientResponse, status: u16) -> Result<ClientResponse> {
    ensure!(response.status == status, "{} instead of {status}: {}", response.status, response.text());
    Ok(response)
}

/// This many minutes from now, in RFC 3339.
pub(super) fn minutes(minutes: i64) -> String {
    (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string()
}

/// A token as kubernaut's senders have it: for the API server's own audience.
pub(super) async fn kubernaut_token(sender: &SenderAccount) -> Result<String> {
    sender.token_for(ISSUER).await
}

/// Lets the account create the Service that stands for kubernaut's gateway.
async fn permit(rig: &Rig, account: &str) -> Result<()> {
    let (client, namespace) = (rig.namespace().client(), rig.namespace().name());
    let role: Role = serde_json::from_value(json!({
        "metadata": { "name": "gateway-sender" },
        "rules": [{
            "apiGroups": [""], "resources": ["services"], "resourceNames": ["gateway-service"], "verbs": ["create"],
        }],
    }))?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": "gateway-sender" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gateway-sender" },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }],
    }))?;
    let (roles, bindings) = (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace));
    roles.create(&PostParams::default(), &role).await.context("no role")?;
    bindings.create(&PostParams::default(), &binding).await.context("no binding")?;
    Ok(())
}
