//! The cost of a period: CPU time by component, and API calls as the API server counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use http::Request;
use onceway_kit::exposition::Scrape;
use onceway_kit::rig::Rig;
use onceway_kit::service::Service;
use procfs::process::Process;
use tokio::time::sleep;

const RR: (&str, &str) = ("resource", "remediationrequests");
const LEASE: (&str, &str) = ("resource", "leases");
const READS: [&str; 2] = ["GET", "LIST"];
const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// How long the API server must be idle. Longer than any contender's pause between two attempts.
const QUIET: Duration = Duration::from_millis(1200);
/// How often idleness is checked before the storm starts anyway.
const QUIET_TRIES: u32 = 40;

/// A reading of monotonic counters.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    cpu: BTreeMap<&'static str, f64>,
    calls: Calls,
}

/// Calls for RRs and Leases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Calls {
    pub(super) reads: f64,
    pub(super) writes: f64,
    /// Calls with a 409 response.
    pub(super) conflicts: f64,
}

/// The difference of two readings.
#[derive(Clone, Debug)]
pub(super) struct Spent {
    /// CPU time by component, in seconds.
    pub(super) cpu: BTreeMap<&'static str, f64>,
    pub(super) calls: Calls,
}

impl Reading {
    /// Reads all counters of a rig before a measurement. Waits until the API server is idle: all contenders share it, and
    /// calls that the previous one still retries would be charged to the next.
    ///
    /// # Errors
    /// If a process has exited or the API server's metrics cannot be read.
    pub(super) async fn before(rig: &Rig) -> Result<Self> {
        let mut calls = calls_of(rig).await?;
        for _ in 0..QUIET_TRIES {
            sleep(QUIET).await;
            let now = calls_of(rig).await?;
            if now == calls {
                break;
            }
            calls = now;
        }
        Self::of_busy(rig).await
    }

    /// Reads all counters of a rig that is busy already.
    ///
    /// # Errors
    /// Those of [`Reading::before`].
    pub(super) async fn of_busy(rig: &Rig) -> Result<Self> {
        // CPU last: serving the metrics also takes CPU time, which is not the storm's.
        Ok(Self { calls: calls_of(rig).await?, cpu: cpu_of(rig)? })
    }

    /// Reads all counters of a rig after a measurement.
    ///
    /// # Errors
    /// Those of [`Reading::before`].
    pub(super) async fn after(rig: &Rig) -> Result<Self> {
        let cpu = cpu_of(rig)?;
        Ok(Self { calls: calls_of(rig).await?, cpu })
    }

    /// The difference from an earlier reading.
    pub(super) fn since(&self, then: &Self) -> Spent {
        let part = |(part, now): (&&'static str, &f64)| (*part, now - then.cpu.get(part).unwrap_or(&0.0));
        Spent { cpu: self.cpu.iter().map(part).collect(), calls: self.calls.since(then.calls) }
    }
}

async fn calls_of(rig: &Rig) -> Result<Calls> {
    let text = rig.namespace().client().request_text(Request::get("/metrics").body(Vec::new())?).await;
    Ok(Calls::of(&Scrape::new(text.context("cannot read the API server's metrics")?)))
}

fn cpu_of(rig: &Rig) -> Result<BTreeMap<&'static str, f64>> {
    let sidecars = rig.sidecars().iter().map(|sidecar| seconds(sidecar.service()));
    Ok(BTreeMap::from([
        ("sidecars", sidecars.sum::<Result<f64>>()?),
        ("Envoy", seconds(rig.envoy().service())?),
        ("API server", seconds(rig.cluster().apiserver())?),
        ("etcd", seconds(rig.cluster().etcd())?),
        ("sender", sender_cpu()?),
    ]))
}

/// CPU time of this process, which sends, in seconds.
fn sender_cpu() -> Result<f64> {
    cpu_seconds(&Process::myself()?)
}

impl Calls {
    fn of(scrape: &Scrape) -> Self {
        let sum = |labels: &[(&str, &str)]| scrape.sum("apiserver_request_total", labels);
        let verbs = |verbs: &[&str]| {
            let each = verbs.iter().map(|verb| sum(&[RR, ("verb", verb)]) + sum(&[LEASE, ("verb", verb)]));
            each.sum::<f64>()
        };
        Self {
            reads: verbs(&READS),
            writes: verbs(&WRITES),
            conflicts: sum(&[RR, ("code", "409")]) + sum(&[LEASE, ("code", "409")]),
        }
    }

    fn since(self, then: Self) -> Self {
        Self {
            reads: self.reads - then.reads,
            writes: self.writes - then.writes,
            conflicts: self.conflicts - then.conflicts,
        }
    }
}

fn seconds(service: &Service) -> Result<f64> {
    cpu_seconds(&Process::new(service.process()?.pid())?)
}

fn cpu_seconds(process: &Process) -> Result<f64> {
    let stat = process.stat()?;
    Ok((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::Calls;
    use onceway_kit::exposition::Scrape;

    #[test]
    fn calls_are_summed_by_the_api_servers_own_labels() {
        let text = "apiserver_request_total{code=\"200\",group=\"kubernaut.ai\",resource=\"remediationrequests\",\
                    subresource=\"status\",verb=\"PATCH\"} 7\n\
                    apiserver_request_total{code=\"409\",group=\"kubernaut.ai\",resource=\"remediationrequests\",\
                    subresource=\"status\",verb=\"PATCH\"} 2\n\
                    apiserver_request_total{code=\"201\",resource=\"leases\",subresource=\"\",verb=\"POST\"} 3\n\
                    apiserver_request_total{code=\"200\",resource=\"leases\",subresource=\"\",verb=\"GET\"} 5\n\
                    apiserver_request_total{code=\"200\",resource=\"remediationrequests\",subresource=\"\",verb=\"WATCH\"} 11\n\
                    apiserver_request_total{code=\"200\",resource=\"pods\",subresource=\"\",verb=\"LIST\"} 13\n";
        let calls = Calls::of(&Scrape::new(text.to_owned()));
        assert_eq!(calls, Calls { reads: 5.0, writes: 12.0, conflicts: 2.0 });
    }
}
