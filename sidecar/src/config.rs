//! The configuration: one YAML file, in which every key has a default. Nothing here turns locking off.
//!
//! The doc comment of a field is its documentation for operators too: `--print-default-config` prints it above the
//! key. Durations are written as "20ms", "8s" or "1m 30s".

mod check;
mod print;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::print::default_yaml;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Where RemediationRequests and their leases are kept. null: in the sidecar's own namespace (POD_NAMESPACE).
    pub namespace: Option<String>,
    /// The addresses to listen on. `[::]` is every address, of IPv4 too, and of IPv4 alone where there is no IPv6. Port 0 lets
    /// the kernel choose; the addresses in use are logged at the start.
    pub listen: Listen,
    /// What is taken in at most. What is beyond a limit is answered 503 with Retry-After, where its key says nothing else.
    pub limits: Limits,
    /// How signals of one incident are counted together.
    pub batching: Batching,
    /// The lease that guards each incident.
    pub lease: Lease,
    /// What happens where an incident has more than one active RemediationRequest, made by others or by hand. The oldest
    /// stays. report: a metric, a Warning event and a log line; skip: moreover, younger ones that no controller has
    /// started are marked Skipped.
    pub duplicates: Duplicates,
    /// The watch of the RemediationRequests.
    pub index: Index,
    /// How what no incident needs any more is removed.
    pub housekeeping: Housekeeping,
    /// How a replica leaves.
    pub shutdown: Shutdown,
    /// What is logged.
    pub log: Log,
}

/// The three ports. They are apart so that each can be exposed to those who need it and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Listen {
    /// Signals, over HTTP/1.1 and HTTP/2 without TLS; for Envoy alone.
    #[schemars(with = "String")]
    pub signals: SocketAddr,
    /// /livez, /healthz and /readyz; for the kubelet and for Envoy's health checks. A full signal port never fails it.
    #[schemars(with = "String")]
    pub health: SocketAddr,
    /// /metrics; for Prometheus.
    #[schemars(with = "String")]
    pub metrics: SocketAddr,
}

/// What is taken in at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// The largest body of a request, in bytes; a larger one is answered 413. Envoy's limit should be the same.
    pub max_body_bytes: usize,
    /// What all bodies in hand may take together, in bytes.
    pub max_body_bytes_in_flight: usize,
    /// The most of a payload that is stored in a RemediationRequest, in bytes. etcd refuses objects above 1.5 MiB.
    pub max_stored_payload_bytes: usize,
    /// Connections open at once on the signal port; more wait in the kernel's backlog.
    pub max_connections: usize,
    /// How long the headers of a connection's first request may take to arrive.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long an HTTP/1 connection may be silent between requests. Longer than the idle timeout of the proxy in front,
    /// so that it is the proxy who closes: a request that crosses our close would fail and have to be sent again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
    /// How long the body of a request may take to arrive.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// How long a peer may take nothing of an answer that is written to it; then its connection is closed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub write_timeout: Duration,
    /// Within this time after its body has arrived, a request's signals are durably counted or it is answered 503.
    /// Alertmanager allows a notification 10s at the least, and should get an answer that it can read before that.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub deadline: Duration,
    /// Requests in hand at once, over all connections. Envoy's limit (max_requests) should be no larger.
    pub max_requests_in_flight: usize,
    /// Alerts in hand at once, whatever is to be done for each, until their answers are written. A single request with
    /// more is served when nothing else is in hand.
    pub max_signals_in_flight: usize,
    /// Incidents of one request that are committed at the same time.
    pub max_incidents_per_request_in_flight: usize,
    /// Incidents in hand or remembered at once. One in hand takes a task and some 3 KiB; one that is remembered takes up to
    /// 2 KiB, saves its next signal two reads, and gives way to one that comes in hand.
    pub max_incidents: usize,
    /// Requests that wait for the next write of their incident.
    pub max_queue_per_incident: usize,
    /// How long the RemediationRequest of an incident without signals is remembered. Until then its next signal costs two
    /// reads less, and a write more if others have changed it meanwhile; from then on that is likely.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub incident_idle: Duration,
    /// Calls to the API server at once.
    pub max_api_calls_in_flight: usize,
    /// How long the API server may take to answer one call; the outcome is then unknown and gets resolved.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub api_call_timeout: Duration,
}

/// How signals of one incident are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Batching {
    /// While signals of an incident keep coming, one write per this time counts them all. The first goes at once. Where the
    /// API server takes longer than this for a count, there are fewer, two a second at least.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub count_interval: Duration,
    /// What the writes of one incident may come to, in bytes a second. Every count rewrites the whole
    /// RemediationRequest, and etcd keeps old revisions for minutes: a large one is written less often.
    pub max_bytes_per_second: u32,
}

/// The lease that guards each incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Lease {
    /// The lease's duration as it is written for people and tools, in whole seconds. Nothing is decided by it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub duration: Duration,
    /// How long to wait for a living holder to create its RemediationRequest before doing it in its place. Taking over
    /// early is safe, and costs a write.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub takeover_after: Duration,
}

/// What happens to duplicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// They are reported.
    #[default]
    Report,
    /// They are reported, and skipped where nobody has started them.
    Skip,
}

/// The watch of the RemediationRequests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Index {
    /// How long one watch lasts before it is taken up anew, in whole seconds. A connection that has died without a word is
    /// noticed some seconds later than that.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub watch_timeout: Duration,
}

/// How what no incident needs any more is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Housekeeping {
    /// How often to look for RemediationRequests that were created too late, and for how long one must have had no
    /// count to be taken for such.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub reap_interval: Duration,
    /// How often each replica goes through all Leases, for those whose RemediationRequest is gone.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub sweep_interval: Duration,
    /// How old the last name that a Lease gave to a RemediationRequest must be for the Lease to go; one whose
    /// RemediationRequest was never seen must moreover stand unchanged for as long. More than clocks of replicas and nodes
    /// ever differ, and more than a frozen replica ever stands still.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub sweep_after: Duration,
    /// How many Leases a second each replica looks at.
    pub max_sweeps_per_second: u32,
}

/// How a replica leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Shutdown {
    /// After SIGTERM, how long to report "not ready" and still accept, so that load balancers look elsewhere first.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub lame_duck: Duration,
    /// Then, how long to finish what is in hand. Together with lameDuck less than terminationGracePeriodSeconds.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Log {
    /// json: one object a line; text: for people.
    pub format: LogFormat,
    /// error, warn, info, debug or trace; or directives by module, such as "info,onceway=debug".
    pub level: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Coloured text.
    Text,
}

impl Default for Listen {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Self { signals: any(8080), health: any(8081), metrics: any(9090) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 5 * 1024 * 1024,
            max_body_bytes_in_flight: 64 * 1024 * 1024,
            max_stored_payload_bytes: 64 * 1024,
            max_connections: 1024,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(8),
            max_requests_in_flight: 8192,
            max_signals_in_flight: 20_000,
            max_incidents_per_request_in_flight: 64,
            max_incidents: 20_000,
            max_queue_per_incident: 4096,
            incident_idle: Duration::from_secs(60),
            max_api_calls_in_flight: 128,
            api_call_timeout: Duration::from_secs(3),
        }
    }
}

impl Default for Batching {
    fn default() -> Self {
        Self { count_interval: Duration::from_millis(20), max_bytes_per_second: 1024 * 1024 }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self { duration: Duration::from_secs(30), takeover_after: Duration::from_millis(250) }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { watch_timeout: Duration::from_secs(30) }
    }
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            reap_interval: Duration::from_secs(30),
            sweep_interval: Duration::from_secs(15 * 60),
            sweep_after: Duration::from_secs(3600),
            max_sweeps_per_second: 10,
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { lame_duck: Duration::from_secs(5), drain_timeout: Duration::from_secs(20) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".into() }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not YAML, or has a key that does not exist or a value of the wrong type.
    #[error("the configuration is not valid (see --print-default-config for every key):\n{0}")]
    Parse(#[source] Box<serde_saphyr::Error>),
    /// A value is out of its range.
    #[error("the configuration's {key} is {found}, but {rule}")]
    Range {
        /// The key, as a path.
        key: &'static str,
        /// Its value.
        found: String,
        /// What holds for it.
        rule: String,
    },
}

impl Config {
    /// Reads and checks the configuration in the file `path`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, line or key and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads and checks the configuration in `yaml`; keys that it lacks have their defaults.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line or key and what is wrong with it.
    pub fn parse(yaml: &str) -> Result<Self, ConfigError> {
        // A file of comments alone is YAML's null, and asks for the defaults.
        let config: Option<Self> = serde_saphyr::from_str(yaml).map_err(|error| ConfigError::Parse(Box::new(error)))?;
        let config = config.unwrap_or_default();
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
