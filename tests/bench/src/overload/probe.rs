//! A signal alone, ten times a second: what a sender with little to say notices of the overload. And how many replicas Envoy considers
//! healthy meanwhile.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use onceway_kit::client::Client;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::attempt::TIMEOUT;

const INTERVAL: Duration = Duration::from_millis(100);
/// Signals before the overload.
const BEFORE: usize = 20;
/// How many signals in a row must be fast for latency to be normal.
const IN_A_ROW: usize = 5;
/// How long latency may take to be normal.
const MAX_RECOVERY: Duration = Duration::from_secs(30);
/// How often Envoy is asked: more often than a replica can become unhealthy and healthy again.
const HEALTH_INTERVAL: Duration = Duration::from_millis(250);

/// Sends single signals of an incident of its own.
pub(super) struct Probe {
    client: Client,
    url: String,
    body: Bytes,
    /// A signal that takes longer is slow.
    normal: Duration,
}

impl Probe {
    /// Measures what is normal.
    pub(super) async fn at(url: String) -> Self {
        let body = Incident::new("prod", "probe").webhook(0).into();
        let mut probe = Self { client: Client::new(), url, body, normal: TIMEOUT };
        // The first may create the incident's RR.
        probe.signal().await;
        let mut took = Vec::new();
        for _ in 0..BEFORE {
            sleep(INTERVAL).await;
            took.push(probe.signal().await);
        }
        took.sort_unstable();
        probe.normal = took[BEFORE * 95 / 100 - 1] * 2 + Duration::from_millis(10);
        probe
    }

    /// How long one signal takes; the timeout if it is not acknowledged.
    async fn signal(&self) -> Duration {
        let began = Instant::now();
        let response = self.client.signal(&self.url, Source::Prometheus, self.body.clone());
        match timeout(TIMEOUT, response).await {
            Ok(Ok(response)) if response.status.is_success() => began.elapsed(),
            _ => TIMEOUT,
        }
    }

    /// How long it takes until signals take as long as before the overload.
    pub(super) async fn recovery(&self) -> Duration {
        let (began, mut fast) = (Instant::now(), 0);
        let mut since = Duration::ZERO;
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while fast < IN_A_ROW && began.elapsed() < MAX_RECOVERY {
            ticks.tick().await;
            let at = began.elapsed();
            if self.signal().await > self.normal {
                fast = 0;
            } else if fast == 0 {
                (fast, since) = (1, at);
            } else {
                fast += 1;
            }
        }
        if fast < IN_A_ROW { MAX_RECOVERY } else { since }
    }
}

/// Counts the times at which Envoy considered a replica unhealthy; never returns.
pub(super) async fn count_ejected(rig: &Rig, ejected: &mut usize) -> Infallible {
    loop {
        sleep(HEALTH_INTERVAL).await;
        // An admin page that does not answer says nothing of the replicas.
        let healthy = rig.envoy().healthy().await.map_or(usize::MAX, |hosts| hosts.len());
        *ejected += usize::from(healthy < rig.sidecars().len());
    }
}
