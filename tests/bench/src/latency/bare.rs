//! The minimum of Kubernetes writes: the sidecar's client library, directly to the same API server, with the same permissions
//! and objects.

use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::AuthInfo;
use kube::{Client, Resource};
use onceway::config::Config;
use onceway::rr::Draft;
use onceway_kit::cluster::Namespace;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rr, RrExt};
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};
use serde_json::json;

/// Writes RRs, and holds those that it counts in.
pub(super) struct Bare {
    api: Api<Rr>,
    counted: Vec<Rr>,
}

impl Bare {
    /// A writer with the permissions of the sidecar's service account.
    pub(super) fn new(namespace: &Namespace) -> Result<Self> {
        let mut config = namespace.cluster().config();
        config.auth_info = AuthInfo { token: Some(namespace.token().to_owned().into()), ..AuthInfo::default() };
        let client = Client::try_from(config)?;
        Ok(Self { api: Api::namespaced(client, namespace.name()), counted: Vec::new() })
    }

    /// The RR that a sidecar would create for this webhook.
    pub(super) fn draft(incident: &Incident, webhook: String) -> Result<Rr> {
        let rules = Arc::new(Rules::default());
        let part = decode(&rules, Origin::of(Source::Prometheus), webhook.as_bytes())?.partial(&[0]);
        let (fingerprint, received) = (incident.fingerprint(), Timestamp::now());
        let max_payload_bytes = Config::default().limits.max_stored_payload_bytes;
        let draft = Draft { body: webhook.into(), part, rules, fingerprint, received, max_payload_bytes };
        let digits = &fingerprint.to_string()[..12];
        let mut rr = Rr::new(&format!("rr-{digits}-{}", received.as_second()), draft.spec());
        let labels = [("app.kubernetes.io/managed-by", "onceway"), ("app.kubernetes.io/component", "remediation")];
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        rr.metadata.labels = Some(labels.map(owned).into());
        let creator = ("onceway.io/creator", "onceway-0_0123456789abcdef0123456789abcdef");
        rr.metadata.annotations = Some([creator].map(owned).into());
        Ok(rr)
    }

    /// Creates an RR and counts one signal in it.
    pub(super) async fn open(&self, draft: &Rr) -> Result<Rr> {
        let rr = self.api.create(&PostParams::default(), draft).await.context("bare create")?;
        self.write_count(&rr, true).await
    }

    /// Makes `drafts` the RRs that [`Bare::count`] counts in.
    pub(super) async fn own(&mut self, drafts: &[Rr]) -> Result<()> {
        for draft in drafts {
            let rr = self.open(draft).await?;
            self.counted.push(rr);
        }
        Ok(())
    }

    /// Counts one more signal in the `n`-th of these RRs, modulo their number.
    pub(super) async fn count(&mut self, n: usize) -> Result<()> {
        let place = n % self.counted.len().max(1);
        let rr = self.counted.get(place).context("no RR to count in")?;
        let counted = self.write_count(rr, false).await?;
        self.counted[place] = counted;
        Ok(())
    }

    /// A sidecar's count: a merge patch that is a compare-and-swap.
    async fn write_count(&self, rr: &Rr, first: bool) -> Result<Rr> {
        let now = Timestamp::now();
        let mut seen = json!({ "occurrenceCount": rr.count() + 1, "lastSeenAt": now });
        if first {
            seen["firstSeenAt"] = json!(now);
        }
        let meta = rr.meta();
        let patch = json!({
            "metadata": { "resourceVersion": meta.resource_version, "uid": meta.uid },
            "status": { "deduplication": seen },
        });
        let patched = self.api.patch_status(rr.name(), &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.context("bare status write")
    }
}
