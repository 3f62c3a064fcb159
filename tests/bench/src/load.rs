//! One storm, and what is measured of it.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_kit::storm::Report;
use tokio::time::sleep;

use super::audit::{Audit, COUNTED, Counted, EXCESS, MOST_RRS, counted};
use super::bar::{Bar, Judged};
use super::cost::{Reading, Spent};
use super::data::{At, Data};

/// Signals per second that were answered 2xx and are counted in an RR, for as long as signals were sent.
pub(super) const RATE: &str = "acknowledged and counted signals/s";
/// From sending a signal until its 2xx.
pub(super) const LATENCY: [&str; 3] = ["P50 ms", "P95 ms", "P99 ms"];
/// Calls for RRs and Leases that the API server saw, by signal that was acknowledged.
pub(super) const CALLS: &str = "API calls/signal";
/// Those of them that write.
pub(super) const WRITES: &str = "API writes/signal";
/// Those of them that were answered 409.
pub(super) const CONFLICTS: &str = "conflicts/signal";
/// Writes of RRs and Leases a second.
pub(super) const WRITE_RATE: &str = "API writes/s";
/// RRs by incident, of those of which a signal was acknowledged.
pub(super) const RRS: &str = "RRs/incident";
/// Signals that were answered 2xx.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
/// From the first signal to the last answer.
pub(super) const ELAPSED: &str = "seconds until the last answer";
/// Of the attempts, those that were not answered 2xx.
pub(super) const REFUSED: &str = "refused/attempts";
/// CPU time of all parts but the sender, by signal.
pub(super) const CPU: &str = "CPU ms/signal";
/// That of the sidecars, or of what stands in their place, alone.
pub(super) const SIDECAR_CPU: &str = "sidecar CPU ms/signal";
pub(super) const ENVOY_CPU: &str = "Envoy CPU ms/signal";
pub(super) const API_CPU: &str = "API server and etcd CPU ms/signal";
/// That of the storm itself, which shares the machine with what it storms.
pub(super) const SENDER_CPU: &str = "sender CPU ms/signal";

/// Signals of which CPU time is told at least: the kernel counts it in hundredths of a second, and idling takes some.
const LEAST_FOR_CPU: u64 = 100;
/// Writes of an incident that one replica may make in a second, on average, whatever the storm.
const MOST_WRITES: f64 = 50.0;

/// Judges the writes of a storm of one incident that so many replicas write.
pub(super) fn write_bar(data: &Data, at: At<'_>, what: &str, replicas: usize) -> Judged {
    let what = format!("{what}: {WRITE_RATE}");
    Judged::new(what, data.figure(at, WRITE_RATE), Bar::AtMost(MOST_WRITES * replicas as f64))
}

/// How long what is done off the path of the last signal may take.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A storm.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// What the signals are about, in turn; an incident that is named twice gets twice as many.
    pub(super) incidents: Vec<Incident>,
    /// Signals that wait for their answers at a time.
    pub(super) at_once: usize,
    pub(super) amount: Amount,
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    /// For so long, each signal sent once.
    For(Duration),
    /// So many signals, each sent until it is acknowledged.
    Signals(u64),
}

/// Sends a storm through the rig's Envoy and measures it.
///
/// # Errors
/// If a part is gone.
pub(super) async fn measure(rig: &Rig, load: Load) -> Result<Vec<(&'static str, f64)>> {
    let incidents = load.incidents.clone();
    let before = Reading::before(rig).await?;
    let sent = send(rig, load).await;
    sleep(AFTERMATH).await;
    let spent = Reading::after(rig).await?.since(&before);
    let counted = counted(rig, &incidents).await?;
    Ok(values(&sent, &counted, &spent))
}

/// What came of a storm.
struct Sent {
    report: Report,
    /// For how long signals were sent. Those that were then on their way may take longer.
    time: Duration,
    /// Signals that were acknowledged in that time.
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

fn values(sent: &Sent, counted: &Counted, spent: &Spent) -> Vec<(&'static str, f64)> {
    let Sent { report, time, .. } = sent;
    let (total, audit) = (report.total(), Audit::of(report, counted));
    let (acknowledged, right) = (total.acknowledged as f64, audit.right as f64);
    let (elapsed, calls) = (report.elapsed.as_secs_f64(), spent.calls);
    let cpu = |parts: &[&str]| {
        let seconds: f64 = parts.iter().filter_map(|part| spent.cpu.get(part)).sum();
        seconds * 1e3 / acknowledged
    };
    if acknowledged == 0.0 {
        // Nothing to divide by: there is no cost of a signal, and no latency.
        return vec![(RATE, 0.0), (REFUSED, 1.0)];
    }
    let latency = |percentile| report.latency.value_at_percentile(percentile) as f64 / 1e3;
    let mut values = vec![
        (RATE, right / acknowledged * sent.acknowledged as f64 / time.as_secs_f64()),
        (LATENCY[0], latency(50.0)),
        (LATENCY[1], latency(95.0)),
        (LATENCY[2], latency(99.0)),
        (CALLS, (calls.reads + calls.writes) / acknowledged),
        (WRITES, calls.writes / acknowledged),
        (CONFLICTS, calls.conflicts / acknowledged),
        (WRITE_RATE, calls.writes / elapsed),
        (RRS, audit.rrs as f64 / audit.incidents as f64),
        (MOST_RRS, audit.most as f64),
        (COUNTED, right / acknowledged),
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
