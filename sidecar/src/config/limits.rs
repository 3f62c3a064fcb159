//! The limits of what a replica accepts, and their defaults.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much longer than `limits.deadline` a response may take, so that the incident's task can report why it is late.
pub const DEADLINE_GRACE: Duration = Duration::from_millis(500);

/// Limits of what a replica accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// The largest request body, in bytes; a larger one gets 413. Should equal max_body_bytes of the filter in Envoy.
    pub max_body_bytes: usize,
    /// The most that all request bodies in flight may take together, in bytes.
    pub max_body_bytes_in_flight: usize,
    /// The most of a payload that is stored in a RemediationRequest, in bytes. etcd rejects objects above 1.5 MiB.
    pub max_stored_payload_bytes: usize,
    /// Open connections on the signal port. For one more, the idlest without a complete request in flight is closed:
    /// first those that never sent a request, then those that are idle for longest. If there is none, the new one is
    /// closed.
    pub max_connections: usize,
    /// Those of one peer, which is an IPv4 address or an IPv6 /64. For one more, the idlest of that peer is closed, so that
    /// one address cannot close the connections of others. The proxy in front is one peer.
    pub max_connections_per_peer: usize,
    /// How long the TLS handshake and the headers of a connection's first request may take. Then the connection is closed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a connection may be idle between requests. Must be longer than the idle timeout of the proxy in
    /// front, so that the proxy closes first: a request that crosses a close by the sidecar fails and has to be
    /// retried.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
    /// How long a request body may take to arrive.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// How long a client may read nothing of its response. Then the connection is closed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub write_timeout: Duration,
    /// How long after the arrival of its body a request's signals may take to be durably counted. Then it gets 503.
    /// Less than the 10s that Alertmanager waits at least, so that it gets a response.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub deadline: Duration,
    /// Incidents with an active RemediationRequest, which is a repair, above which no new one begins; 0: no limit. Further
    /// signals of incidents that have one are always counted.
    pub max_active_incidents: usize,
    /// The same for RemediationRequests with targets in one namespace, and for those in none; 0: no limit.
    pub max_active_incidents_per_namespace: usize,
    /// New incidents that one sender may begin in a minute, counted by each replica; 0: no limit. Without authentication
    /// all senders are one.
    pub max_new_incidents_per_minute: usize,
    /// Requests in flight, over all connections. Envoy's max_requests should not be larger.
    pub max_requests_in_flight: usize,
    /// Alerts in flight, resolved and rejected ones included, until their responses are written. A single request with
    /// more alerts is admitted when no others are in flight.
    pub max_signals_in_flight: usize,
    /// Incidents of one request that are committed concurrently.
    pub max_incidents_per_request_in_flight: usize,
    /// Incidents that are active or cached in a replica. An active one takes a task and about 3 KiB. A cached one takes
    /// up to 2 KiB, saves its next signal two reads, and is evicted when an active one needs the place. Both also keep
    /// their RemediationRequest's signal list: about 130 bytes a name, at most 5 KiB.
    pub max_incidents: usize,
    /// Requests queued for the next write of one incident.
    pub max_queue_per_incident: usize,
    /// How long the RemediationRequest of an incident without signals stays cached. A cached one saves the next signal
    /// two reads, but costs an extra write if it has changed meanwhile, which gets likelier with time.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub incident_idle: Duration,
    /// API server calls in flight. More wait.
    pub max_api_calls_in_flight: usize,
    /// How long one API server call may take. Then its outcome is unknown, and the protocol resolves it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub api_call_timeout: Duration,
    /// How long the target of a new RemediationRequest may be looked for (targets.resolve), beside the calls that take the
    /// incident's claim. Then the best that is known is stored.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub target_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 5 * 1024 * 1024,
            max_body_bytes_in_flight: 64 * 1024 * 1024,
            max_stored_payload_bytes: 64 * 1024,
            max_connections: 1024,
            max_connections_per_peer: 512,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(8),
            max_active_incidents: 2000,
            max_active_incidents_per_namespace: 500,
            max_new_incidents_per_minute: 600,
            max_requests_in_flight: 8192,
            max_signals_in_flight: 20_000,
            max_incidents_per_request_in_flight: 64,
            max_incidents: 20_000,
            max_queue_per_incident: 4096,
            incident_idle: Duration::from_secs(60),
            max_api_calls_in_flight: 128,
            api_call_timeout: Duration::from_secs(3),
            target_timeout: Duration::from_millis(300),
        }
    }
}
