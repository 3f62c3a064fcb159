//! Memory over the number of fingerprints: one replica that has seen them all, with all their RRs in its index.

use anyhow::{Result, ensure};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_kit::sidecar::Sidecar;
use procfs::process::Process;

use super::Depth;
use super::bar::{Bar, BarCheck};
use super::chart::{Chart, Series, Shape};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::digits;
use super::page::Report;
use super::progress::Progress;
use super::table::growth;

const CASE: &str = "memory of a sidecar";
const X: &str = "fingerprints seen";
const RESIDENT: &str = "resident MiB";
const PEAK: &str = "peak MiB";
const METRICS: [&str; 2] = [RESIDENT, PEAK];
/// Signals of new incidents in flight.
const AT_ONCE: usize = 64;

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let mut data = Data::default();
    let steps: &[usize] = match depth {
        Depth::Quick => &[100, 2000],
        Depth::Full => &[100, 1000, 10_000, 30_000, 100_000],
    };
    let progress = Progress::new(steps.len());
    let cluster = Cluster::start().await?;
    let rig = Rig::replicas(1).in_cluster(cluster).without_fault_proxies().label("bench").start().await?;
    let mut seen = 0;
    for &step in steps {
        progress.doing(format_args!("{CASE}: {step} incidents"));
        let incidents: Vec<Incident> = (seen..step).map(|n| Incident::new("prod", &format!("service-{n}"))).collect();
        let signals = incidents.len() as u64;
        let report = rig.storm(incidents).signals(signals).concurrency(AT_ONCE).run().await.total();
        ensure!(report.status(201) == signals, "created RRs for {} of {signals} incidents", report.status(201));
        seen = step;
        let at = At { case: CASE, contender: Contender::Onceway.name(), x: step as f64 };
        data.add(at, 0, memory(rig.sidecar(0))?);
        progress.step();
    }
    Ok(data)
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let at = |x| At { case: CASE, contender: Contender::Onceway.name(), x };
    let most = data.xs(CASE).last().copied().unwrap_or_default();
    let check = |metric| {
        BarCheck::new(
            format!("{} fingerprints: {metric}", digits(most)),
            data.figure(at(most), metric),
            Bar::AtMost(64.0),
        )
    };
    Report {
        method: METHOD.into(),
        tables: vec![(CASE.into(), growth(data, at(0.0), X, &METRICS))],
        charts: vec![chart(data)],
        bars: METRICS.map(check).into(),
    }
}

fn chart(data: &Data) -> Chart {
    let series = METRICS.map(|metric| Series {
        label: metric.into(),
        points: data.line(At { case: CASE, contender: Contender::Onceway.name(), x: 0.0 }, metric),
    });
    let title = "Memory of a sidecar that has seen all fingerprints".into();
    Chart { name: "growth", title, x: X, y: "MiB", shape: Shape::Lines, series: series.into() }
}

const METHOD: &str = "\
One run: one replica receives one signal of each fingerprint, creates an RR for each, and keeps all of them in its index. Time is not
measured, so other load on the machine does not matter. \"resident\" is the resident set size after the last response, \"peak\" its
maximum.";

fn memory(sidecar: &Sidecar) -> Result<[(&'static str, f64); 2]> {
    let status = Process::new(sidecar.service().process()?.pid())?.status()?;
    let mib = |kib: Option<u64>| kib.map_or(f64::NAN, |kib| kib as f64 / 1024.0);
    Ok([(RESIDENT, mib(status.vmrss)), (PEAK, mib(status.vmhwm))])
}
