//! `envoy/onceway.yaml` with other ports and paths and nothing else changed: tests run the shipped configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::deploy::repository;

/// The shipped configuration, below the repository's root.
pub const CONFIG: &str = "envoy/onceway.yaml";

/// A replica as Envoy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Upstream {
    /// Where it takes signals.
    pub signals: SocketAddr,
    /// Where it serves health checks; on the same IP address.
    pub health: SocketAddr,
}

/// What is replaced.
pub struct Edits<'a> {
    /// The address of the listener.
    pub listener: SocketAddr,
    /// The address of the admin page.
    pub admin: SocketAddr,
    /// The address that shows the statistics.
    pub stats: SocketAddr,
    /// The filter's module.
    pub wasm: &'a Path,
    /// The replicas.
    pub upstreams: &'a [Upstream],
}

/// JSON pointer to the HTTP connection manager.
pub(super) const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
/// JSON pointer to the address of the admin page as an upstream.
const ADMIN_ENDPOINT: &str = "/static_resources/clusters/1/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
/// JSON pointer to the filter.
pub const FILTER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0";
/// JSON pointer to its configuration, below [`FILTER`].
const PLUGIN: &str = "/typed_config/config/configuration/value";
/// JSON pointer to its module, below [`FILTER`].
const MODULE: &str = "/typed_config/config/vm_config/code/local/filename";

/// The value at the JSON pointer `place`, mutable.
///
/// # Panics
/// If it is not there: the file was rearranged, and the test must follow.
pub fn at<'a>(config: &'a mut Value, place: &str) -> &'a mut Value {
    config.pointer_mut(place).unwrap_or_else(|| panic!("{CONFIG} has no {place}"))
}

/// Sets these fields of the filter's own configuration.
///
/// # Panics
/// If the filter is not where it was.
pub fn configure_filter(config: &mut Value, fields: &Value) {
    let value = at(config, &format!("{FILTER}{PLUGIN}"));
    let mut filter: Value = value.as_str().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    for (field, setting) in fields.as_object().into_iter().flatten() {
        filter[field] = setting.clone();
    }
    *value = filter.to_string().into();
}

/// Removes all settings of the filter, which then has its defaults.
///
/// # Panics
/// If the filter is not where it was.
pub fn unconfigure_filter(config: &mut Value) {
    *at(config, &format!("{FILTER}{PLUGIN}")) = "{}".into();
}

/// Sets another module for the filter.
///
/// # Panics
/// If the filter is not where it was.
pub fn load_module(config: &mut Value, wasm: &Path) {
    *at(config, &format!("{FILTER}{MODULE}")) = json!(wasm);
}

/// Removes the filter.
///
/// # Panics
/// If the filter is not where it was.
pub fn remove_filter(config: &mut Value) {
    let (filters, _) = FILTER.rsplit_once('/').unwrap_or_default();
    if let Some(filters) = at(config, filters).as_array_mut() {
        filters.retain(|filter| filter["name"] != "onceway");
    }
}

/// Gives requests and replicas more time than any loaded machine needs. A replica whose process is gone refuses
/// connections, which Envoy notices as fast as before.
///
/// # Panics
/// If one of the timeouts is not where it was.
pub fn lengthen_timeouts(config: &mut Value) {
    const CLUSTER: &str = "/static_resources/clusters/0";
    const HTTP: &str = "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let timeouts = [
        (format!("{MANAGER}/common_http_protocol_options/max_stream_duration"), "90s"),
        (format!("{MANAGER}/route_config/virtual_hosts/0/routes/0/route/timeout"), "31s"),
        (format!("{CLUSTER}/connect_timeout"), "10s"),
        (format!("{CLUSTER}/{HTTP}/explicit_http_config/http2_protocol_options/connection_keepalive/timeout"), "20s"),
        (format!("{CLUSTER}/health_checks/0/timeout"), "10s"),
    ];
    for (place, timeout) in timeouts {
        *at(config, &place) = json!(timeout);
    }
    configure_filter(config, &json!({ "split_timeout_ms": 31_000 }));
}

/// Reads the shipped configuration.
///
/// # Errors
/// If it is missing or not YAML.
pub(super) fn shipped() -> Result<Value> {
    read(CONFIG)
}

/// Reads the configuration at `path`, below the repository's root.
///
/// # Errors
/// If it is missing or not YAML.
pub(super) fn read(path: &str) -> Result<Value> {
    let text = fs::read_to_string(repository().join(path)).with_context(|| format!("cannot read {path}"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{path} is not valid YAML"))
}

impl Edits<'_> {
    /// Replaces the addresses and the module's path in `config`.
    ///
    /// # Errors
    /// If one of the places is not there: the file was rearranged, and this must follow.
    pub(super) fn apply(&self, mut config: Value) -> Result<Value> {
        let endpoints: Vec<Value> = self.upstreams.iter().map(endpoint).collect();
        let edits = [
            ("/admin/address".to_owned(), address(self.admin)),
            ("/static_resources/listeners/0/address".to_owned(), address(self.listener)),
            ("/static_resources/listeners/1/address".to_owned(), address(self.stats)),
            (ADMIN_ENDPOINT.to_owned(), address(self.admin)),
            (format!("{FILTER}{MODULE}"), json!(self.wasm)),
            ("/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints".to_owned(), json!(endpoints)),
        ];
        for (place, value) in edits {
            *config.pointer_mut(&place).with_context(|| format!("{CONFIG} has no {place}"))? = value;
        }
        Ok(config)
    }
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

fn endpoint(upstream: &Upstream) -> Value {
    json!({ "endpoint": {
        "address": address(upstream.signals),
        "health_check_config": { "port_value": upstream.health.port() },
    }})
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::{Edits, Upstream, lengthen_timeouts, shipped};

    /// How many values differ.
    fn differing(a: &Value, b: &Value) -> usize {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
                a.iter().map(|(key, value)| differing(value, &b[key])).sum()
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).map(|(a, b)| differing(a, b)).sum()
            }
            _ => usize::from(a != b),
        }
    }

    #[test]
    fn only_addresses_and_the_modules_path_change() {
        let upstreams: Vec<Upstream> = ["127.1.0.1:1", "127.1.0.2:1", "127.1.0.3:1"]
            .map(|signals| Upstream { signals: signals.parse().unwrap(), health: "127.1.0.1:2".parse().unwrap() })
            .into();
        let [listener, admin, stats] =
            ["127.0.0.1:3", "127.0.0.2:4", "127.0.0.3:5"].map(|address| address.parse().unwrap());
        let edits = Edits { listener, admin, stats, wasm: Path::new("other.wasm"), upstreams: &upstreams };
        let shipped = shipped().unwrap();
        // Four addresses of two fields, a path, and three fields for each of three replicas.
        assert_eq!(differing(&shipped, &edits.apply(shipped.clone()).unwrap()), 18);
    }

    #[test]
    fn six_timeouts_can_be_lengthened_and_nothing_else_changes() {
        let (shipped, mut lengthened) = (shipped().unwrap(), shipped().unwrap());
        lengthen_timeouts(&mut lengthened);
        assert_eq!(differing(&shipped, &lengthened), 6);
    }
}
