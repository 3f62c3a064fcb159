//! Who is measured, each with replicas, an Envoy and a namespace of its own in one cluster.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use crate::baseline::Holder;
use crate::built;
use crate::cluster::Cluster;
use crate::envoy::{at, remove_filter};
use crate::rig::Rig;

const POLICY: &str = "/static_resources/clusters/0/lb_policy";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// What ships.
    Onceway,
    /// What shipped before a change.
    Before,
    /// What ships, but Envoy sends each request to a replica at random.
    Sprayed,
    /// The per-signal algorithm as it is deployed: no filter, replicas at random, the lock held by a replica.
    PerSignal,
    /// The same with a lock that is one: held by the signal.
    PerSignalLocked,
}

impl Contender {
    /// Its name in tables and raw data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Onceway => "Onceway",
            Self::Before => "Onceway before",
            Self::Sprayed => "Onceway, replicas at random",
            Self::PerSignal => "per signal",
            Self::PerSignalLocked => "per signal, strict lock",
        }
    }

    /// Starts it in `cluster`.
    ///
    /// # Errors
    /// If a part cannot be had, built or started.
    pub(super) async fn start(self, cluster: &Arc<Cluster>, replicas: usize) -> Result<Rig> {
        let rig = Rig::replicas(replicas).in_cluster(Arc::clone(cluster)).without_fault_proxies().label("bench");
        match self {
            Self::Onceway => rig.with_envoy(),
            Self::Before => rig.of(built::before).with_envoy(),
            Self::Sprayed => rig.with_envoy_edited(spray),
            Self::PerSignal => rig.of_baseline(Holder::Pod).with_envoy_edited(without_filter),
            Self::PerSignalLocked => rig.of_baseline(Holder::Signal).with_envoy_edited(without_filter),
        }
        .start()
        .await
    }
}

/// The filter computes as before, and Envoy does not heed it.
fn spray(config: &mut Value) {
    *at(config, POLICY) = json!("RANDOM");
}

fn without_filter(config: &mut Value) {
    spray(config);
    remove_filter(config);
}
