//! One storm, and what is measured of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use kube::api::ListParams;
use onceway_signal::Fingerprint;
use tokio::time::sleep;

use super::cost::{Reading, Spent};
use crate::payload::Incident;
use crate::rig::{Rig, Rr, RrExt};
use crate::storm::Report;

/// Signals per second that were answered 2xx and are counted in an RR.
pub(super) const RATE: &str = "acknowledged and counted signals/s";
/// From sending a signal until its 2xx.
pub(super) const LATENCY: [&str; 3] = ["P50 ms", "P95 ms", "P99 ms"];
/// Calls for RRs and Leases that the API server saw, by signal that was acknowledged.
pub(super) const CALLS: &str = "API calls/signal";
/// Those of them that write.
pub(super) const WRITES: &str = "API writes/signal";
/// Those of them that were answered 409.
pub(super) const CONFLICTS: &str = "conflicts/signal";
/// Writes of any RR's status a second.
pub(super) const COUNTS: &str = "status writes/s";
/// RRs of an incident; 1 is right.
pub(super) const RRS: &str = "RRs/incident";
/// Of the signals that were answered 2xx, those that are counted; 1 is right.
pub(super) const COUNTED: &str = "counted/acknowledged";
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
    let before = Reading::of(rig).await?;
    let report = send(rig, load).await;
    sleep(AFTERMATH).await;
    let spent = Reading::of(rig).await?.since(&before);
    let counted = counted(rig, &incidents).await?;
    Ok(values(&report, &counted, &spent))
}

async fn send(rig: &Rig, load: Load) -> Report {
    let storm = rig.storm(load.incidents).concurrency(load.at_once);
    match load.amount {
        Amount::Signals(signals) => storm.signals(signals).run().await,
        Amount::For(time) => {
            let running = storm.endless().max_attempts(1).start();
            sleep(time).await;
            running.end();
            running.report().await
        }
    }
}

/// RRs, and signals counted in them, by incident.
type Counted = BTreeMap<Fingerprint, (u64, u64)>;

async fn counted(rig: &Rig, incidents: &[Incident]) -> Result<Counted> {
    let mut counted: Counted = incidents.iter().map(|incident| (incident.fingerprint(), (0, 0))).collect();
    let one = (counted.len() == 1).then(|| incidents[0].fingerprint());
    let wanted = one.map_or_else(ListParams::default, |fingerprint| {
        ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"))
    });
    for rr in rig.rr_api().list(&wanted).await?.items {
        let of_storm = fingerprint(&rr).and_then(|fingerprint| counted.get_mut(&fingerprint));
        if let Some((rrs, signals)) = of_storm {
            *rrs += 1;
            *signals += rr.count();
        }
    }
    Ok(counted)
}

fn fingerprint(rr: &Rr) -> Option<Fingerprint> {
    rr.spec.signal_fingerprint.parse().ok()
}

fn values(report: &Report, counted: &Counted, spent: &Spent) -> Vec<(&'static str, f64)> {
    let total = report.total();
    let acknowledged = total.acknowledged as f64;
    let each = report.incidents.iter().filter(|(_, told)| told.acknowledged > 0);
    let right = each.clone().map(|(fingerprint, told)| {
        let (_, signals) = counted.get(fingerprint).copied().unwrap_or_default();
        // What was counted and not acknowledged is sent again, and no gain.
        told.acknowledged.min(signals)
    });
    let (right, incidents) = (right.sum::<u64>() as f64, each.count() as f64);
    let rrs: u64 = counted.values().map(|(rrs, _)| rrs).sum();
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
    vec![
        (RATE, right / elapsed),
        (LATENCY[0], latency(50.0)),
        (LATENCY[1], latency(95.0)),
        (LATENCY[2], latency(99.0)),
        (CALLS, (calls.reads + calls.writes) / acknowledged),
        (WRITES, calls.writes / acknowledged),
        (CONFLICTS, calls.conflicts / acknowledged),
        (COUNTS, calls.counts / elapsed),
        (RRS, rrs as f64 / incidents),
        (COUNTED, right / acknowledged),
        (REFUSED, 1.0 - acknowledged / total.attempts as f64),
        (CPU, cpu(&["sidecars", "Envoy", "API server", "etcd"])),
        (SIDECAR_CPU, cpu(&["sidecars"])),
        (ENVOY_CPU, cpu(&["Envoy"])),
        (API_CPU, cpu(&["API server", "etcd"])),
        (SENDER_CPU, cpu(&["sender"])),
    ]
}
