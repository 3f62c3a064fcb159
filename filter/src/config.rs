//! The plugin's configuration: every limit of the filter, with its name, its default and its bounds.

use std::ops::RangeInclusive;

use onceway_signal::limits::MAX_ALERTS;
use serde::Deserialize;
use thiserror::Error;

/// The limit of a body unless configured otherwise: 5 MiB, as in the sidecar and in the Envoy configurations.
pub const DEFAULT_MAX_BODY_BYTES: u32 = 5 * MIB;

/// The largest limit of a body that can be configured: 64 MiB. A body is held and parsed whole in the VM's memory, of which
/// Envoy allows 1 GiB, and nothing interrupts a VM that is busy.
pub const MAX_BODY_BYTES_CEILING: u32 = 64 * MIB;

const MIB: u32 = 1024 * 1024;

/// More than decoding takes cannot be reached.
#[expect(clippy::cast_possible_truncation, reason = "a constant that fits")]
const MAX_ALERTS_CEILING: u32 = MAX_ALERTS as u32;

/// The plugin's configuration. A field that is not given has its default; one that is not known is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The largest body, in bytes, that is read; a larger one is answered 413.
    pub max_body_bytes: u32,
    /// The most alerts of a body that is split; one with more is answered 413. At the default no body that can be decoded
    /// has more.
    pub max_alerts: u32,
    /// The most firing fingerprints of a body, each of which becomes a sub-request; a body with more is answered 413.
    pub max_fingerprints: u32,
    /// The most bytes that the sub-requests of one body may have together: each has the webhook's own fields, so that these
    /// are sent as often as there are fingerprints. A body that would need more is answered 413.
    pub max_split_bytes: u32,
    /// The most bytes of answers that are read for one body. Parts whose answers do not fit count as failed.
    pub max_answer_bytes: u32,
    /// How many sub-requests of one body are in flight at once.
    pub max_subrequests_in_flight: u32,
    /// The time, in milliseconds, in which all sub-requests of one body must be answered. What is not answered by then has
    /// failed, and the sender is told to send again. More than the sidecar's `limits.deadline`, so that it can tell itself
    /// what was wrong; less than the sender waits, and than the proxy's longest stream.
    pub split_timeout_ms: u32,
    /// The proxy's cluster of sidecars, to which sub-requests go: the one that the route has too.
    pub cluster: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            max_alerts: MAX_ALERTS_CEILING,
            max_fingerprints: 1024,
            max_split_bytes: 20 * MIB,
            max_answer_bytes: 16 * MIB,
            max_subrequests_in_flight: 32,
            split_timeout_ms: 9_000,
            cluster: "onceway".to_owned(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Something else than a JSON object.
    #[error(
        "the plugin configuration is no JSON object; write {{\"max_body_bytes\": {DEFAULT_MAX_BODY_BYTES}}}, or leave it out"
    )]
    NoObject,
    /// No JSON, a field that is not known, or a value of the wrong type.
    #[error("cannot read the plugin configuration: {0}. Correct it, or leave it out to have the defaults")]
    Json(#[from] serde_json::Error),
    /// A limit that is not usable.
    #[error("{field} is {value}; set it to {least} or more, and to {most} at most")]
    Range {
        /// The field.
        field: &'static str,
        /// What it is set to.
        value: u32,
        /// The least that is usable.
        least: u32,
        /// The most that is usable.
        most: u32,
    },
    /// No cluster.
    #[error("cluster is empty; name the proxy's cluster of sidecars, or leave it out for \"onceway\"")]
    NoCluster,
}

impl Config {
    /// Reads a configuration from JSON. Nothing at all means the defaults.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn from_json(json: &[u8]) -> Result<Config, ConfigError> {
        match json.trim_ascii_start().first() {
            None => return Ok(Config::default()),
            Some(b'{') => {}
            // Looked for here: serde would take an array for a struct, and an empty one for the defaults.
            Some(_) => return Err(ConfigError::NoObject),
        }
        let config: Config = serde_json::from_slice(json)?;
        for (field, value, usable) in config.ranges() {
            if !usable.contains(&value) {
                return Err(ConfigError::Range { field, value, least: *usable.start(), most: *usable.end() });
            }
        }
        if config.cluster.is_empty() {
            return Err(ConfigError::NoCluster);
        }
        Ok(config)
    }

    /// Each number, and what of it is usable. What the VM holds at once stays far below the 1 GiB that Envoy allows it.
    fn ranges(&self) -> [(&'static str, u32, RangeInclusive<u32>); 7] {
        [
            ("max_body_bytes", self.max_body_bytes, 1..=MAX_BODY_BYTES_CEILING),
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
