//! What holds between the values of a configuration, so that a bad one is refused at the start and not met at night.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::{Config, ConfigError, Limits};
use crate::http::GRACE;

const HOUR: Duration = Duration::from_secs(3600);
/// Leaves room for everything else in an object that etcd takes (1.5 MiB), at JSON's worst escaping.
const STORED_PAYLOAD_CEILING: usize = 256 * 1024;

impl Config {
    /// Checks every value against its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_namespace()?;
        self.limits.check()?;
        self.check_times()?;
        self.check_ports()?;
        self.check_housekeeping()?;
        let level = &self.log.level;
        rule(
            "log.level",
            level,
            EnvFilter::try_new(level).is_ok(),
            "must be error, warn, info, debug, trace, or directives such as \"info,onceway=debug\"",
        )
    }

    fn check_namespace(&self) -> Result<(), ConfigError> {
        let Some(name) = &self.namespace else { return Ok(()) };
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid =
            (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-');
        rule("namespace", name, valid, "must be the name of a namespace: 1 to 63 of a-z, 0-9 and inner '-'")
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        let (limits, lease, leave) = (&self.limits, &self.lease, &self.shutdown);
        let deadline = limits.deadline;
        // A commit takes more than one call: one that hangs must leave time to find out what became of it.
        half("limits.apiCallTimeout", limits.api_call_timeout, deadline)?;
        half("batching.countInterval", self.batching.count_interval, deadline)?;
        let rate = self.batching.max_bytes_per_second;
        rule("batching.maxBytesPerSecond", rate, rate >= 64 * 1024, "must be at least 65536")?;
        within("lease.takeoverAfter", lease.takeover_after, deadline, "limits.deadline")?;
        whole_seconds("lease.duration", lease.duration, 5, 3600)?;
        whole_seconds("index.watchTimeout", self.index.watch_timeout, 1, 3600)?;
        rule("shutdown.lameDuck", leave.lame_duck, leave.lame_duck <= HOUR, "must be at most 1h")?;
        let least = limits.body_timeout + deadline + GRACE + limits.write_timeout;
        rule(
            "shutdown.drainTimeout",
            leave.drain_timeout,
            (least..=HOUR * 4).contains(&leave.drain_timeout),
            &format!(
                "must be from {least:?} to 4h: a request in hand takes limits.bodyTimeout, limits.deadline, {GRACE:?} and \
                 limits.writeTimeout at worst"
            ),
        )
    }

    fn check_housekeeping(&self) -> Result<(), ConfigError> {
        let (keep, day) = (&self.housekeeping, Duration::from_secs(24 * 3600));
        within("housekeeping.reapInterval", keep.reap_interval, day, "24h")?;
        within("housekeeping.sweepInterval", keep.sweep_interval, day, "24h")?;
        rule(
            "housekeeping.sweepAfter",
            keep.sweep_after,
            (self.limits.deadline * 2..day * 30).contains(&keep.sweep_after),
            "must be at least twice limits.deadline, and less than 30 days",
        )?;
        between("housekeeping.maxSweepsPerSecond", keep.max_sweeps_per_second as usize, 1, 1000)
    }

    fn check_ports(&self) -> Result<(), ConfigError> {
        let listen = &self.listen;
        rule("listen.health", listen.health, !clash(listen.health, listen.signals), SHARED)?;
        let taken = clash(listen.metrics, listen.signals) || clash(listen.metrics, listen.health);
        rule("listen.metrics", listen.metrics, !taken, SHARED)
    }
}

/// Whether two listeners want the same. Port 0 is a free one each time.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && overlap
}

const SHARED: &str = "must not be another listener's address";

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let body = self.max_body_bytes;
        between("limits.maxBodyBytes", body, 1024, 64 * 1024 * 1024)?;
        between("limits.maxBodyBytesInFlight", self.max_body_bytes_in_flight, body, u32::MAX as usize)?;
        between("limits.maxStoredPayloadBytes", self.max_stored_payload_bytes, 1024, STORED_PAYLOAD_CEILING)?;
        between("limits.maxConnections", self.max_connections, 1, 1_000_000)?;
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

fn between(key: &'static str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    rule(key, value, (least..=most).contains(&value), &format!("must be from {least} to {most}"))
}

fn within(key: &'static str, value: Duration, bound: Duration, name: &str) -> Result<(), ConfigError> {
    rule(key, value, !value.is_zero() && value < bound, &format!("must be more than 0s and less than {name}"))
}

fn whole_seconds(key: &'static str, value: Duration, least: u64, most: u64) -> Result<(), ConfigError> {
    let holds = value.subsec_nanos() == 0 && (least..=most).contains(&value.as_secs());
    rule(key, value, holds, &format!("must be whole seconds from {least}s to {most}s"))
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
