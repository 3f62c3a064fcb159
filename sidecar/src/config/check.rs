//! Range checks, so that an invalid configuration fails at startup.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::error::ConfigError;
use super::limits::{DEADLINE_GRACE, Limits};
use super::sections::Config;

const HOUR: Duration = Duration::from_secs(3600);
/// Leaves room for the rest of an object within etcd's limit (1.5 MiB), at JSON's worst escaping.
const MAX_STORED_PAYLOAD: usize = 256 * 1024;

impl Config {
    /// Checks every value against its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_namespace()?;
        self.auth.check()?;
        self.scope.check()?;
        self.limits.check()?;
        self.check_times()?;
        self.check_ports()?;
        self.check_housekeeping()?;
        self.check_events()?;
        self.check_freshness()?;
        self.check_tls()?;
        let endpoint = &self.tracing.otlp.endpoint;
        let usable = self.tracing.otlp.is_valid();
        rule("tracing.otlp.endpoint", endpoint, usable, "must be an http:// URL with a host and without a query")?;
        within("tracing.otlp.timeout", self.tracing.otlp.timeout, Duration::from_secs(61), "61s")?;
        let level = &self.log.level;
        rule(
            "log.level",
            level,
            EnvFilter::try_new(level).is_ok(),
            "must be error, warn, info, debug, trace or directives such as \"info,onceway=debug\"",
        )
    }

    fn check_namespace(&self) -> Result<(), ConfigError> {
        let Some(name) = &self.namespace else { return Ok(()) };
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid =
            (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-');
        rule("namespace", name, valid, "must be a namespace name: 1 to 63 of a-z, 0-9 and inner '-'")
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        let (limits, lease, shutdown) = (&self.limits, &self.lease, &self.shutdown);
        let deadline = limits.deadline;
        // A commit takes several calls: one that times out must leave time to resolve its outcome.
        half("limits.apiCallTimeout", limits.api_call_timeout, deadline)?;
        half("limits.targetTimeout", limits.target_timeout, deadline)?;
        half("batching.countInterval", self.batching.count_interval, deadline)?;
        let rate = self.batching.max_bytes_per_second;
        rule("batching.maxBytesPerSecond", rate, rate >= 64 * 1024, "must be at least 65536")?;
        within("lease.takeoverAfter", lease.takeover_after, deadline, "limits.deadline")?;
        whole_seconds("lease.duration", lease.duration, 5, 3600)?;
        whole_seconds("index.watchTimeout", self.index.watch_timeout, 1, 3600)?;
        rule("shutdown.lameDuck", shutdown.lame_duck, shutdown.lame_duck <= HOUR, "must be at most 1h")?;
        let longest_request = limits.body_timeout + deadline + DEADLINE_GRACE + limits.write_timeout;
        rule(
            "shutdown.drainTimeout",
            shutdown.drain_timeout,
            (longest_request..=HOUR * 4).contains(&shutdown.drain_timeout),
            &format!(
                "must be from {longest_request:?} to 4h: a request may take limits.bodyTimeout + limits.deadline + \
                 {DEADLINE_GRACE:?} + limits.writeTimeout"
            ),
        )
    }

    fn check_housekeeping(&self) -> Result<(), ConfigError> {
        let (gc, day) = (&self.housekeeping, Duration::from_secs(24 * 3600));
        within("housekeeping.reapInterval", gc.reap_interval, day, "24h")?;
        within("housekeeping.sweepInterval", gc.sweep_interval, day, "24h")?;
        rule(
            "housekeeping.sweepAfter",
            gc.sweep_after,
            (self.limits.deadline * 2..day * 30).contains(&gc.sweep_after),
            "must be at least twice limits.deadline and less than 30 days",
        )?;
        between("housekeeping.maxSweepsPerSecond", gc.max_sweeps_per_second as usize, 1, 1000)
    }

    fn check_events(&self) -> Result<(), ConfigError> {
        let max_age = self.events.max_age;
        rule("events.maxAge", max_age, max_age <= HOUR * 8760, "must be at most 8760h; 0s means any age")
    }

    fn check_freshness(&self) -> Result<(), ConfigError> {
        let range = Duration::from_secs(1)..=HOUR * 24;
        let (age, ahead) = (self.freshness.max_request_age, self.freshness.max_ahead);
        rule("freshness.maxRequestAge", age, range.contains(&age), "must be from 1s to 24h")?;
        rule("freshness.maxAhead", ahead, range.contains(&ahead), "must be from 1s to 24h")
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let sans = &tls.client_sans;
        let checked = tls.client_ca.is_some() || sans.is_empty();
        rule("tls.clientSans", sans, checked, "must be empty without tls.clientCa: nothing would check it")?;
        let named = sans.iter().all(|san| !san.is_empty() && !san.contains('*'));
        rule("tls.clientSans", sans, named, "must hold whole DNS names or URIs, without '*'")
    }

    fn check_ports(&self) -> Result<(), ConfigError> {
        let listen = &self.listen;
        rule("listen.health", listen.health, !overlap(listen.health, listen.signals), SHARED)?;
        let shared = overlap(listen.metrics, listen.signals) || overlap(listen.metrics, listen.health);
        rule("listen.metrics", listen.metrics, !shared, SHARED)
    }
}

/// Whether two listeners overlap. Port 0 is a free port each time.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let ip_overlaps = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && ip_overlaps
}

const SHARED: &str = "must not be another listener's address";

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let body = self.max_body_bytes;
        between("limits.maxBodyBytes", body, 1024, 64 * 1024 * 1024)?;
        between("limits.maxBodyBytesInFlight", self.max_body_bytes_in_flight, body, u32::MAX as usize)?;
        between("limits.maxStoredPayloadBytes", self.max_stored_payload_bytes, 1024, MAX_STORED_PAYLOAD)?;
        between("limits.maxConnections", self.max_connections, 1, 1_000_000)?;
        between("limits.maxConnectionsPerPeer", self.max_connections_per_peer, 1, 1_000_000)?;
        between("limits.maxActiveIncidents", self.max_active_incidents, 0, 10_000_000)?;
        between("limits.maxActiveIncidentsPerNamespace", self.max_active_incidents_per_namespace, 0, 10_000_000)?;
        between("limits.maxNewIncidentsPerMinute", self.max_new_incidents_per_minute, 0, 100_000)?;
        between("limits.maxRequestsInFlight", self.max_requests_in_flight, 1, 1_000_000)?;
        between("limits.maxSignalsInFlight", self.max_signals_in_flight, 1, u32::MAX as usize)?;
        let fan_out = self.max_incidents_per_request_in_flight;
        between("limits.maxIncidentsPerRequestInFlight", fan_out, 1, 10_000)?;
        between("limits.maxIncidents", self.max_incidents, 1, 10_000_000)?;
        between("limits.maxQueuePerIncident", self.max_queue_per_incident, 1, 1_000_000)?;
        between("limits.maxApiCallsInFlight", self.max_api_calls_in_flight, 1, 100_000)?;
        within("limits.headerTimeout", self.header_timeout, HOUR, "1h")?;
        within("limits.idleTimeout", self.idle_timeout, HOUR, "1h")?;
        within("limits.bodyTimeout", self.body_timeout, HOUR, "1h")?;
        within("limits.writeTimeout", self.write_timeout, HOUR, "1h")?;
        within("limits.deadline", self.deadline, HOUR, "1h")?;
        within("limits.incidentIdle", self.incident_idle, HOUR * 24, "24h")
    }
}

fn between(key: &'static str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    rule(key, value, (min..=max).contains(&value), &format!("must be from {min} to {max}"))
}

fn within(key: &'static str, value: Duration, bound: Duration, name: &str) -> Result<(), ConfigError> {
    rule(key, value, !value.is_zero() && value < bound, &format!("must be more than 0s and less than {name}"))
}

fn whole_seconds(key: &'static str, value: Duration, min: u64, max: u64) -> Result<(), ConfigError> {
    let holds = value.subsec_nanos() == 0 && (min..=max).contains(&value.as_secs());
    rule(key, value, holds, &format!("must be whole seconds from {min}s to {max}s"))
}

fn half(key: &'static str, value: Duration, deadline: Duration) -> Result<(), ConfigError> {
    rule(
        key,
        value,
        !value.is_zero() && value <= deadline / 2,
        "must be more than 0s and at most half of limits.deadline",
    )
}

fn rule(key: &'static str, value: impl Debug, holds: bool, rule: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Range { key, found: format!("{value:?}"), rule: rule.to_owned() }) }
}
