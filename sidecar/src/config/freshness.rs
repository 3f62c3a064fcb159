//! The section `freshness` of the configuration.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How old requests may be, and how far ahead of a replica's clock they and their signals may be dated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Freshness {
    /// How long ago a request may have been sent, by its header X-Timestamp, from 1s to 24h: longer than a sender's
    /// retries and a proxy's queue. A request without the header may be of any age.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub max_request_age: Duration,
    /// How far ahead of a replica's clock X-Timestamp, a firing alert's startsAt and an event's time may be, from 1s to
    /// 24h: more than clocks of one system differ.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub max_ahead: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        let both = Duration::from_secs(5 * 60);
        Self { max_request_age: both, max_ahead: both }
    }
}
