//! The systems that are measured. In one cluster, each has its own replicas, Envoy and namespace.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use onceway_kit::built::{self, Once};
use onceway_kit::cluster::Cluster;
use onceway_kit::envoy::{at, remove_filter};
use onceway_kit::rig::{Rig, RigBuilder};
use serde_json::{Value, json};

use crate::baseline::Holder;

/// The variable that names the sidecar that a change is measured against.
const BEFORE: &str = "ONCEWAY_BEFORE";

const POLICY: &str = "/static_resources/clusters/0/lb_policy";

/// A system that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// The shipped programs and configuration.
    Onceway,
    /// As shipped, with a sender that has a token and the right to signal about everything. The others authenticate nobody.
    Authenticated,
    /// The sidecar from before a change.
    Before,
    /// As shipped, but Envoy sends each request to a random replica.
    Sprayed,
    /// The per-signal algorithm as deployed: no filter, random replicas, the lock held by the replica.
    PerSignal,
    /// The same, with a lock that excludes all other signals: held by the signal.
    PerSignalLocked,
}

impl Contender {
    /// Its name in tables and raw data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Onceway => "Onceway",
            Self::Authenticated => "Onceway, authenticated",
            Self::Before => "Onceway before",
            Self::Sprayed => "Onceway, replicas at random",
            Self::PerSignal => "per signal",
            Self::PerSignalLocked => "per signal, strict lock",
        }
    }

    /// Starts it in `cluster`.
    ///
    /// # Errors
    /// If a component cannot be fetched, built or started.
    pub(super) async fn start(self, cluster: &Arc<Cluster>, replicas: usize) -> Result<Rig> {
        let rig = Rig::replicas(replicas).in_cluster(Arc::clone(cluster)).without_fault_proxies().label("bench");
        match self {
            Self::Onceway => rig.with_envoy(),
            Self::Authenticated => return authenticated(rig).await,
            // It does not know every key of the configuration.
            Self::Before => rig.program(before).as_configured().with_envoy(),
            Self::Sprayed => rig.with_envoy_edited(spray),
            Self::PerSignal => with_baseline(rig, Holder::Pod).with_envoy_edited(without_filter),
            Self::PerSignalLocked => with_baseline(rig, Holder::Signal).with_envoy_edited(without_filter),
        }
        .start()
        .await
    }
}

async fn authenticated(rig: RigBuilder) -> Result<Rig> {
    let rig = rig.with_auth().with_envoy().start().await?;
    let sender = rig.namespace().sender("alertmanager").await?;
    sender.permit_everything().await?;
    Ok(rig.with_token(&sender.token().await?))
}

/// With the baseline in place of each sidecar, its lock held by `holder`.
fn with_baseline(rig: RigBuilder, holder: Holder) -> RigBuilder {
    rig.program(baseline).environment(vec![holder.variable()])
}

/// The path of the baseline's program: what `$ONCEWAY_BASELINE` names, else what cargo builds.
fn baseline() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| built::program("ONCEWAY_BASELINE", "onceway-bench", "baseline"))
}

/// The path of the sidecar that a change is measured against: what `$ONCEWAY_BEFORE` names.
fn before() -> Result<PathBuf> {
    let path = env::var_os(BEFORE).map(PathBuf::from);
    let path = path.with_context(|| format!("set {BEFORE} to a sidecar that was built before the change"))?;
    ensure!(path.is_file(), "{BEFORE} names {}, which is no file", path.display());
    Ok(path)
}

/// The filter still computes the fingerprint; Envoy does not route by it.
fn spray(config: &mut Value) {
    *at(config, POLICY) = json!("RANDOM");
}

fn without_filter(config: &mut Value) {
    spray(config);
    remove_filter(config);
}
