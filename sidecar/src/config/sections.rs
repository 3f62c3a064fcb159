//! The sections of the configuration and their defaults.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::Auth;
use super::events::Events;
use super::freshness::Freshness;
use super::limits::Limits;
use super::profile::Profile;
use super::scope::Scope;
use super::tls::Tls;
use super::tracing::Tracing;

/// Every configuration key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// A set of defaults for a known situation; keys that are written here win over it. none: those that
    /// --print-default-config shows. kubernaut: this replica takes the place of kubernaut's gateway (docs/kubernaut.md).
    /// --print-config shows the result.
    pub profile: Profile,
    /// The namespace of the RemediationRequests and their Leases. null: the sidecar's own namespace (POD_NAMESPACE).
    pub namespace: Option<String>,
    /// Rules that name the target of an alert, tried before the built-in ones, and which targets signals may be about. The
    /// filter's plugin configuration has the same document under the same key. docs/targets.md explains it.
    #[schemars(with = "Targets")]
    pub targets: Rules,
    /// Which targets may be remediated at all: those with a label. docs/targets.md explains it.
    pub scope: Scope,
    /// Kubernetes events.
    pub events: Events,
    /// How old requests may be, and how far ahead of a replica's clock they and their signals may be dated.
    pub freshness: Freshness,
    /// The `type` and `title` of problems. onceway: `https://onceway.io/problems/...`, one for each cause. kubernaut:
    /// `https://kubernaut.ai/problems/...` as from its gateway, one for each status, with our cause in `kind`. The filter's
    /// plugin configuration has the same value under `problem_types`.
    #[schemars(with = "String")]
    pub problem_types: ProblemTypes,
    /// The addresses to listen on. `[::]` means every IPv6 and IPv4 address, or every IPv4 address on a machine without
    /// IPv6. With port 0 the kernel chooses a port. The addresses in use are logged at startup.
    pub listen: Listen,
    /// Who may signal about what: a signal can start a repair. docs/senders.md explains it.
    pub auth: Auth,
    /// TLS 1.2 and 1.3 on the signal port. null: plain. Else PEM files: `cert` and `key`; `clientCa` to demand client
    /// certificates that it signed; `clientSans`, the DNS names or URIs (SPIFFE IDs) of the clients that may connect, empty
    /// for all; `metrics: true` for TLS on the metrics port, without client certificates. Changed files are used within
    /// seconds, without dropping a connection; broken or expired ones are not used. The health port stays plain.
    pub tls: Option<Tls>,
    /// Limits of what a replica accepts. Beyond a limit it responds 503 with Retry-After, unless the key says
    /// otherwise.
    pub limits: Limits,
    /// Group commit: how signals of one incident share a write.
    pub batching: Batching,
    /// The Lease of each incident, which holds its claim.
    pub lease: Lease,
    /// What to do when an incident has several active RemediationRequests, created by other clients or by hand. The
    /// oldest always stays. report: a metric, a Warning event and a log line. skip: also mark younger ones Skipped,
    /// unless a controller has started them.
    pub duplicates: Duplicates,
    /// The watch of RemediationRequests.
    pub index: Index,
    /// While kubernaut's gateway runs beside Onceway. docs/kubernaut.md explains it.
    pub migration: Migration,
    /// Garbage collection of RemediationRequests that were created too late and of Leases without a RemediationRequest.
    pub housekeeping: Housekeeping,
    /// How a replica shuts down.
    pub shutdown: Shutdown,
    /// Logging.
    pub log: Log,
    /// OpenTelemetry traces. docs/operations/traces.md explains them.
    pub tracing: Tracing,
}

/// The keys of the target rules, for their documentation: [`Rules`] has no schema, since the filter needs none.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Targets {
    /// Alerts that are no incident, by label and value; an entry matches if all its labels do. Such as
    /// `- {severity: info}`.
    ignore: Vec<String>,
    /// Exporters that speak about other objects, by their `job`, `service` or `container`, with `*` at either end. Such
    /// as `- "*-exporter"`.
    observers: Vec<String>,
    /// Rules: `when` (labels and values), `kind`, `name`, `namespace` and `cluster` (labels that hold them).
    rules: Vec<String>,
    /// The clusters that signals may name, each as it is to be spelled; a signal that names another is rejected. Empty:
    /// any.
    clusters: Vec<String>,
    /// Namespaces that no signal may be about, with `*` at either end; such a signal is rejected. Recommended:
    /// `- kube-system`.
    #[schemars(rename = "denyNamespaces")]
    deny_namespaces: Vec<String>,
    /// How the workload that a new RemediationRequest names (spec.targetResource) is found. verify: by reads of the API server,
    /// as the rights allow: a pod's chain of controllers, and whether it exists. derive: by names, as far as they are certain.
    /// named: not at all; it is the object that the signal names. No fingerprint depends on it.
    resolve: String,
    /// What becomes of a signal whose target exists nowhere, which only verify can tell. create: a RemediationRequest. reject:
    /// it is answered 200 and rejected.
    missing: String,
    /// The names of the cluster that the sidecar is in: the targets of signals that name another one are not looked for. Empty:
    /// every name is one.
    #[schemars(rename = "localClusters")]
    local_clusters: Vec<String>,
}

/// The three ports. They are separate so that each can be exposed to its own clients only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Listen {
    /// Signals, over HTTP/1.1 and HTTP/2, with TLS if `tls` is set. For Envoy only.
    #[schemars(with = "String")]
    pub signals: SocketAddr,
    /// /livez, /healthz and /readyz, for the kubelet and Envoy's health checks. An overloaded signal port does not
    /// affect it.
    #[schemars(with = "String")]
    pub health: SocketAddr,
    /// /metrics, for Prometheus.
    #[schemars(with = "String")]
    pub metrics: SocketAddr,
}

/// Group commit: how signals of one incident share a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Batching {
    /// The minimum interval between two count writes of one incident; one write counts all signals that arrived
    /// meanwhile. The first signal is written at once. While counts take longer than this, writes are rarer, but at
    /// least two per second.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub count_interval: Duration,
    /// The most that the writes of one incident may add up to, in bytes per second. Every count rewrites the whole
    /// RemediationRequest and etcd keeps old revisions for minutes, so a large one is written less often.
    pub max_bytes_per_second: u32,
}

/// The Lease of each incident, which holds its claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Lease {
    /// The leaseDurationSeconds written to the Lease, in whole seconds. Information only: the protocol does not use it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub duration: Duration,
    /// How long to wait for another replica to create the RemediationRequest that it has claimed, before taking the
    /// claim over. An early takeover is safe and costs one write, and a RemediationRequest that took longer than this (or than 1s)
    /// from its claim until it was created costs a write that confirms the claim.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub takeover_after: Duration,
}

/// What to do with duplicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Report them.
    #[default]
    Report,
    /// Report them, and mark those Skipped that no controller has started.
    Skip,
}

/// The watch of RemediationRequests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Index {
    /// How long one watch request lasts before the next resumes it, in whole seconds. If nothing came for 5 seconds longer,
    /// the connection or the API server hangs: the index is out of sync until something comes. A restart costs the API server
    /// one request, which its watch cache serves.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub watch_timeout: Duration,
}

/// While kubernaut's gateway runs beside Onceway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Migration {
    /// Whether to hold the Lease that kubernaut's gateway locks an incident with (gw-lock-...) while a
    /// RemediationRequest is looked for and created, so that the two gateways never create one each. A new incident costs
    /// three API calls more, and one after the response. While kubernaut's gateway holds the Lease, signals wait, at most
    /// until limits.deadline. `namespace` must be that of kubernaut's gateway. Off once that gateway is gone.
    pub kubernaut_locks: bool,
}

/// Garbage collection of RemediationRequests that were created too late and of Leases without a RemediationRequest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Housekeeping {
    /// How often to look for RemediationRequests that were created too late, and how long one must have had no count to
    /// be treated as such.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub reap_interval: Duration,
    /// How often each replica checks all Leases for those whose RemediationRequest is gone.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub sweep_interval: Duration,
    /// How long ago a Lease must have named its last RemediationRequest before it is deleted. If that
    /// RemediationRequest was never seen, the Lease must also have been unchanged for this long. Must exceed the clock
    /// skew between replicas and nodes, and the longest time that a replica can be frozen.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub sweep_after: Duration,
    /// How many Leases each replica checks per second.
    pub max_sweeps_per_second: u32,
}

/// How a replica shuts down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Shutdown {
    /// How long, after SIGTERM, to report "not ready" while still accepting signals, so that load balancers stop
    /// sending first.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub lame_duck: Duration,
    /// How long, after lameDuck, requests in flight may take to finish. lameDuck and drainTimeout together must be less
    /// than the pod's terminationGracePeriodSeconds.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Log {
    /// json: one object per line. text: for a terminal.
    pub format: LogFormat,
    /// error, warn, info, debug or trace, or directives per module such as "info,onceway=debug".
    pub level: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
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

impl Default for Batching {
    fn default() -> Self {
        Self { count_interval: Duration::from_millis(20), max_bytes_per_second: 1024 * 1024 }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self { duration: Duration::from_secs(30), takeover_after: Duration::from_secs(1) }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { watch_timeout: Duration::from_secs(10) }
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
