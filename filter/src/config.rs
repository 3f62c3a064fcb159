//! The plugin's configuration: each limit of the filter with its name, default and bounds.

use std::ops::RangeInclusive;

use onceway_signal::limits::MAX_ALERTS;
use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;
use serde::Deserialize;
use thiserror::Error;

/// Default body limit: 5 MiB, as in the sidecar and in the Envoy configurations.
pub const DEFAULT_MAX_BODY_BYTES: u32 = 5 * MIB;

/// Largest configurable body limit: 64 MiB. The VM holds and parses a body whole; Envoy gives it 1 GiB and never interrupts
/// it.
pub const MAX_BODY_BYTES_CEILING: u32 = 64 * MIB;

const MIB: u32 = 1024 * 1024;

/// The decoder accepts no more alerts, so that a higher limit has no effect.
#[expect(clippy::cast_possible_truncation, reason = "a constant that fits")]
const MAX_ALERTS_CEILING: u32 = MAX_ALERTS as u32;

/// The plugin's configuration. Absent fields have their default; unknown fields are rejected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Body limit in bytes; larger bodies are rejected with 413.
    pub max_body_bytes: u32,
    /// Bytes of bodies that a VM (one per Envoy worker) holds at once, from their arrival to the end of their requests. Beyond
    /// it, bodies of more than 64 KiB are rejected with 503; beyond twice as much, all are. A body that is alone always fits.
    pub max_buffered_bytes: u32,
    /// Alerts in a body that is split; more are rejected with 413. The default is the decoder's own limit.
    pub max_alerts: u32,
    /// Firing fingerprints in a body, each of which becomes a sub-request; more are rejected with 413.
    pub max_fingerprints: u32,
    /// Bytes of all sub-requests of one body; more are rejected with 413. Each sub-request repeats the webhook's own fields.
    pub max_split_bytes: u32,
    /// Bytes of all sub-responses that are read for one body. A partition whose sub-response does not fit counts as failed.
    pub max_answer_bytes: u32,
    /// Sub-requests of one body in flight at once.
    pub max_subrequests_in_flight: u32,
    /// Time in milliseconds for all sub-requests of one body. A partition without a sub-response by then counts as failed,
    /// and the sender gets 503. More than the sidecar's `limits.deadline`, so that the sidecar reports the cause itself;
    /// less than the sender's timeout and Envoy's `max_stream_duration`.
    pub split_timeout_ms: u32,
    /// The cluster that sub-requests are sent to. If absent, the cluster of the request's own route: the property
    /// `xds.cluster_name`, read when a body is split. A body for which the proxy names no cluster passes through whole.
    pub cluster: Option<String>,
    /// The target rules, which come before the built-in ones: the same document as the sidecar's `targets`.
    pub targets: Rules,
    /// Whose types and titles the filter's own problems have: the same as the sidecar's `problemTypes`.
    pub problem_types: ProblemTypes,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            max_buffered_bytes: 64 * MIB,
            max_alerts: MAX_ALERTS_CEILING,
            max_fingerprints: 1024,
            max_split_bytes: 20 * MIB,
            max_answer_bytes: 16 * MIB,
            max_subrequests_in_flight: 32,
            split_timeout_ms: 9_000,
            cluster: None,
            targets: Rules::default(),
            problem_types: ProblemTypes::default(),
        }
    }
}

/// Why a configuration is rejected.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not a JSON object.
    #[error(
        "the plugin configuration is not a JSON object; write {{\"max_body_bytes\": {DEFAULT_MAX_BODY_BYTES}}}, or omit it"
    )]
    NotAnObject,
    /// Not JSON, an unknown field, or a value of the wrong type.
    #[error("cannot read the plugin configuration: {0}. Correct it, or omit it for the defaults")]
    Json(#[from] serde_json::Error),
    /// A limit out of its bounds.
    #[error("{field} is {value}; set it to {min} or more, at most {max}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// Lower bound.
        min: u32,
        /// Upper bound.
        max: u32,
    },
    /// An empty cluster name.
    #[error("cluster is empty; name the sidecars' cluster, or omit it for the cluster of the request's route")]
    EmptyCluster,
}

impl Config {
    /// Reads a configuration from JSON. Empty input means the defaults.
    ///
    /// # Errors
    ///
    /// What is invalid, and where.
    pub fn from_json(json: &[u8]) -> Result<Config, ConfigError> {
        match json.trim_ascii_start().first() {
            None => return Ok(Config::default()),
            Some(b'{') => {}
            // serde reads an array as a struct, and an empty one as the defaults.
            Some(_) => return Err(ConfigError::NotAnObject),
        }
        let config: Config = serde_json::from_slice(json)?;
        for (field, value, bounds) in config.ranges() {
            if !bounds.contains(&value) {
                return Err(ConfigError::Range { field, value, min: *bounds.start(), max: *bounds.end() });
            }
        }
        if config.cluster.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::EmptyCluster);
        }
        Ok(config)
    }

    /// Each limit with its bounds. They keep the VM's memory far below Envoy's 1 GiB.
    fn ranges(&self) -> [(&'static str, u32, RangeInclusive<u32>); 8] {
        [
            ("max_body_bytes", self.max_body_bytes, 1..=MAX_BODY_BYTES_CEILING),
            ("max_buffered_bytes", self.max_buffered_bytes, 1..=1024 * MIB),
            ("max_alerts", self.max_alerts, 1..=MAX_ALERTS_CEILING),
            ("max_fingerprints", self.max_fingerprints, 1..=MAX_ALERTS_CEILING),
            ("max_split_bytes", self.max_split_bytes, 1..=256 * MIB),
            ("max_answer_bytes", self.max_answer_bytes, 1..=64 * MIB),
            ("max_subrequests_in_flight", self.max_subrequests_in_flight, 1..=1024),
            ("split_timeout_ms", self.split_timeout_ms, 1..=60_000),
        ]
    }
}

#[cfg(test)]
mod tests;
