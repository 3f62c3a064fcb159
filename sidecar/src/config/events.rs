//! Kubernetes events.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kubernetes events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Events {
    /// How long ago an event may have happened; an older one is rejected, as a replayed one would be. 0s: any time ago.
    /// Alerts may be of any age.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub max_age: Duration,
    /// What to do with an event of type Normal. ignore: it is nothing to do (200), except that a node is not ready or lacks a
    /// resource. reject: each gets 400, as from kubernaut.
    pub normal: NormalEvents,
}

/// What to do with events of type Normal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NormalEvents {
    /// They are nothing to do, but for some about nodes.
    #[default]
    Ignore,
    /// They are rejected.
    Reject,
}

impl Default for Events {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(3600), normal: NormalEvents::default() }
    }
}
