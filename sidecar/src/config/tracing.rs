//! OpenTelemetry traces.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// OpenTelemetry traces; off by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Tracing {
    /// Where spans go.
    pub otlp: Otlp,
    /// The share of the requests that are traced, from 0 to 1. It applies to those whose sender or proxy has not decided: a
    /// `traceparent` says whether its trace is sampled, and is followed.
    #[schemars(with = "f64")]
    pub sampling: Sampling,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Otlp {
    /// The URL of a collector that takes OTLP over HTTP as protobuf, such as `http://collector.monitoring:4318`; without a path,
    /// `/v1/traces` is added. Plain HTTP: use a collector in the cluster or on the node. null: there are no traces.
    pub endpoint: Option<String>,
    /// How long one export may take. Spans that could not be exported, or that did not find room in the queue, are counted
    /// in gateway_trace_spans_total; signals never wait for them.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for Otlp {
    fn default() -> Self {
        Self { endpoint: None, timeout: Duration::from_secs(5) }
    }
}

impl Otlp {
    /// Whether the endpoint can be used.
    pub(super) fn is_valid(&self) -> bool {
        self.endpoint.as_deref().is_none_or(|endpoint| {
            endpoint.parse::<http::Uri>().is_ok_and(|uri| {
                uri.scheme_str() == Some("http")
                    && uri.host().is_some_and(|host| !host.is_empty())
                    && uri.query().is_none()
            })
        })
    }
}

/// A share from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Sampling(u32);

const MILLION: f64 = 1_000_000.0;

impl Sampling {
    /// The share.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / MILLION
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self(10_000)
    }
}

impl From<Sampling> for f64 {
    fn from(sampling: Sampling) -> Self {
        sampling.as_f64()
    }
}

impl TryFrom<f64> for Sampling {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        // NaN is in no range.
        if !(0.0..=1.0).contains(&share) {
            return Err("tracing.sampling must be from 0 to 1");
        }
        Ok(Self((share * MILLION).round() as u32))
    }
}
