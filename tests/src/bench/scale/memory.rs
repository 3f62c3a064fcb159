//! As fingerprints are seen: the memory of one replica that has seen them all, and whose index knows all of their RRs.

use anyhow::{Result, ensure};
use procfs::process::Process;

use crate::bench::Depth;
use crate::bench::contender::Contender;
use crate::bench::data::{At, Data};
use crate::bench::progress::Progress;
use crate::cluster::Cluster;
use crate::payload::Incident;
use crate::rig::Rig;
use crate::sidecar::Sidecar;

pub(super) const CASE: &str = "memory of a sidecar";
pub(super) const X: &str = "fingerprints seen";
pub(super) const RESIDENT: &str = "resident MiB";
const PEAK: &str = "peak MiB";
pub(super) const METRICS: [&str; 2] = [RESIDENT, PEAK];
/// Signals of new incidents at a time.
const AT_ONCE: usize = 64;

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
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
        ensure!(report.status(201) == signals, "{} of {signals} incidents were opened", report.status(201));
        seen = step;
        let at = At { case: CASE, contender: Contender::Onceway.name(), x: step as f64 };
        data.add(at, 0, memory(rig.sidecar(0))?);
        progress.step();
    }
    Ok(())
}

fn memory(sidecar: &Sidecar) -> Result<[(&'static str, f64); 2]> {
    let status = Process::new(sidecar.service().process()?.pid())?.status()?;
    let mib = |kib: Option<u64>| kib.map_or(f64::NAN, |kib| kib as f64 / 1024.0);
    Ok([(RESIDENT, mib(status.vmrss)), (PEAK, mib(status.vmhwm))])
}
