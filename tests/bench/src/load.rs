//! Sends one storm and measures it.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, Verdict};
use onceway_kit::storm::Report;
use tokio::time::sleep;

use super::audit::{Audit, COUNTED, EXCESS, MOST_RRS};
use super::bar::{Bar, BarCheck};
use super::cost::{Reading, Spent};
use super::data::{At, Data};

/// Signals per second with a 2xx response that are counted in an RR, over the time in which signals were sent.
pub(super) const RATE: &str = "acknowledged and counted signals/s";
/// From a signal's first attempt to its 2xx response.
pub(super) const LATENCY: [&str; 3] = ["P50 ms", "P95 ms", "P99 ms"];
/// API calls for RRs and Leases, per acknowledged signal.
pub(super) const CALLS: &str = "API calls/signal";
/// API writes for RRs and Leases, per acknowledged signal.
pub(super) const WRITES: &str = "API writes/signal";
/// API calls with a 409 response, per acknowledged signal.
pub(super) const CONFLICTS: &str = "conflicts/signal";
/// Writes of RRs and Leases per second.
pub(super) const WRITE_RATE: &str = "API writes/s";
/// RRs per incident, over incidents with an acknowledged signal.
pub(super) const RRS: &str = "RRs/incident";
/// Signals with a 2xx response.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
/// From the first signal to the last response.
pub(super) const ELAPSED: &str = "seconds until the last response";
/// The share of attempts without a 2xx response.
pub(super) const REFUSED: &str = "refused/attempts";
/// CPU time of all components except the sender, per acknowledged signal.
pub(super) const CPU: &str = "CPU ms/signal";
/// CPU time of the sidecars or of the program in their place.
pub(super) const SIDECAR_CPU: &str = "sidecar CPU ms/signal";
pub(super) const ENVOY_CPU: &str = "Envoy CPU ms/signal";
pub(super) const API_CPU: &str = "API server and etcd CPU ms/signal";
/// CPU time of the sender, which shares the machine with the system under test.
pub(super) const SENDER_CPU: &str = "sender CPU ms/signal";

/// The fewest acknowledged signals for which CPU time is reported: the kernel counts in units of 10 ms, and idle processes
/// use some.
const LEAST_FOR_CPU: u64 = 100;
/// The most writes per second of one incident by one replica, on average, for any storm.
const MAX_WRITES: f64 = 50.0;

/// The bar on writes per second of a storm of one incident that `replicas` replicas write.
pub(super) fn write_bar(data: &Data, at: At<'_>, what: &str, replicas: usize) -> BarCheck {
    let what = format!("{what}: {WRITE_RATE}");
    BarCheck::new(what, data.figure(at, WRITE_RATE), Bar::AtMost(MAX_WRITES * replicas as f64))
}

/// Time for work that continues after the last response.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A storm.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// The signals' incidents, in turn; an incident that is listed twice gets twice as many.
    pub(super) incidents: Vec<Incident>,
    /// Signals in flight.
    pub(super) at_once: usize,
    pub(super) amount: Amount,
}

/// The size of a storm.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    /// As many signals as fit into this time, without retries.
    For(Duration),
    /// This many signals, each retried until it is acknowledged.
    Signals(u64),
}

/// Sends a storm through the rig's Envoy and measures it.
///
/// # Errors
/// If a process has exited or the RRs cannot be listed.
pub(super) async fn measure(rig: &Rig, load: Load) -> Result<Vec<(&'static str, f64)>> {
    let before = Reading::before(rig).await?;
    let sent = send(rig, load).await;
    sleep(AFTERMATH).await;
    let spent = Reading::after(rig).await?.since(&before);
    let verdict = rig.compare(&sent.report).await?;
    Ok(values(&sent, &verdict, &spent))
}

/// The observations of a storm's senders.
struct Sent {
    report: Report,
    /// The time in which new signals were sent, without the wait for those then in flight.
    time: Duration,
    /// Signals acknowledged in that time.
    acknowledged: u64,
}

async fn send(rig: &Rig, load: Load) -> Sent {
    let storm = rig.storm(load.incidents).concurrency(load.at_once);
    match load.amount {
        Amount::Signals(signals) => {
            let report = storm.signals(signals).run().await;
            Sent { time: report.elapsed, acknowledged: report.total().acknowledged, report }
        }
        Amount::For(time) => {
            let running = storm.endless().max_attempts(1).start();
            sleep(time).await;
            running.end();
            let (time, acknowledged) = (running.elapsed(), running.progress().acknowledged());
            Sent { time, acknowledged, report: running.report().await }
        }
    }
}

fn values(sent: &Sent, verdict: &Verdict, spent: &Spent) -> Vec<(&'static str, f64)> {
    let Sent { report, time, .. } = sent;
    let (total, audit) = (report.total(), Audit::of(verdict));
    let (acknowledged, correct) = (total.acknowledged as f64, audit.correct as f64);
    let (elapsed, calls) = (report.elapsed.as_secs_f64(), spent.calls);
    let cpu = |components: &[&str]| {
        let seconds: f64 = components.iter().filter_map(|component| spent.cpu.get(component)).sum();
        seconds * 1e3 / acknowledged
    };
    if acknowledged == 0.0 {
        // No cost per signal and no latency without an acknowledged signal.
        return vec![(RATE, 0.0), (REFUSED, 1.0)];
    }
    let latency = |percentile| report.latency.value_at_percentile(percentile) as f64 / 1e3;
    let mut values = vec![
        (RATE, correct / acknowledged * sent.acknowledged as f64 / time.as_secs_f64()),
        (LATENCY[0], latency(50.0)),
        (LATENCY[1], latency(95.0)),
        (LATENCY[2], latency(99.0)),
        (CALLS, (calls.reads + calls.writes) / acknowledged),
        (WRITES, calls.writes / acknowledged),
        (CONFLICTS, calls.conflicts / acknowledged),
        (WRITE_RATE, calls.writes / elapsed),
        (RRS, audit.rrs as f64 / audit.incidents as f64),
        (MOST_RRS, audit.most as f64),
        (COUNTED, correct / acknowledged),
        (EXCESS, audit.excess as f64),
        (ACKNOWLEDGED, acknowledged),
        (ELAPSED, elapsed),
        (REFUSED, 1.0 - acknowledged / total.attempts as f64),
    ];
    if total.acknowledged >= LEAST_FOR_CPU {
        values.extend([
            (CPU, cpu(&["sidecars", "Envoy", "API server", "etcd"])),
            (SIDECAR_CPU, cpu(&["sidecars"])),
            (ENVOY_CPU, cpu(&["Envoy"])),
            (API_CPU, cpu(&["API server", "etcd"])),
            (SENDER_CPU, cpu(&["sender"])),
        ]);
    }
    values
}
