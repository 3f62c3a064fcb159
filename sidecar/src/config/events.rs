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
}

impl Default for Events {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(3600) }
    }
}
