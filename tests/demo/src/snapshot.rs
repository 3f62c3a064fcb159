//! The state of a storm at one moment.

use std::time::Duration;

use anyhow::Result;

use onceway_kit::fault_proxy::{Call, CallResult, RR_STATUS};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use onceway_kit::storm::Running;

/// The state of a storm.
pub(super) struct Snapshot {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) retried: u64,
    pub(super) elapsed: Duration,
    pub(super) rows: Vec<Row>,
}

/// The state of one incident.
pub(super) struct Row {
    pub(super) deployment: String,
    pub(super) fingerprint: String,
    /// The number of its RRs; `rr` names the newest.
    pub(super) rrs: usize,
    pub(super) rr: Option<String>,
    pub(super) count: u64,
    /// The replica that wrote the last count.
    pub(super) owner: Option<String>,
    /// API writes for it: to its RRs or its claim.
    pub(super) writes: usize,
}

impl Snapshot {
    pub(super) async fn take(rig: &Rig, incidents: &[Incident], running: &Running) -> Result<Self> {
        let progress = running.progress();
        Ok(Self {
            rows: rows(rig, incidents).await?,
            sent: progress.sent(),
            acknowledged: progress.acknowledged(),
            retried: progress.retried(),
            elapsed: running.elapsed(),
        })
    }
}

/// The state of each incident, as stored in the API server.
pub(super) async fn rows(rig: &Rig, incidents: &[Incident]) -> Result<Vec<Row>> {
    let rrs = rig.rrs().await?;
    let row = |incident: &Incident| {
        let fingerprint = incident.fingerprint().to_string();
        let of_incident: Vec<_> = rrs.iter().filter(|rr| rr.spec.signal_fingerprint == fingerprint).collect();
        let newest = of_incident.last().map(|rr| rr.name().to_owned());
        let owner = newest.as_deref().and_then(|name| rig.record().read(|calls| owner(calls, name)));
        let of_it = |call: &Call| call.name.as_deref().is_some_and(|name| belongs_to(name, &fingerprint));
        Row {
            deployment: incident.deployment().to_owned(),
            rrs: of_incident.len(),
            count: of_incident.iter().map(|rr| rr.count()).sum(),
            writes: rig.record().count_of(|call| is_write(call) && of_it(call)),
            rr: newest,
            owner,
            fingerprint,
        }
    };
    Ok(incidents.iter().map(row).collect())
}

/// API writes of all replicas so far that reached the API server.
pub(super) fn writes(rig: &Rig) -> usize {
    rig.record().count_of(is_write)
}

fn is_write(call: &Call) -> bool {
    // The sidecars' permission checks at start are creates without a namespace, and write nothing.
    call.verb.writes() && call.namespace.is_some() && !matches!(call.result, CallResult::Canned(_) | CallResult::Cut)
}

/// The replica that wrote the last count of this RR.
fn owner(calls: &[Call], rr: &str) -> Option<String> {
    let counted = |call: &&Call| call.resource == RR_STATUS && call.result.is_status(200);
    let last = calls.iter().rev().filter(counted).find(|call| call.name.as_deref() == Some(rr))?;
    Some(last.replica.clone())
}

/// Whether this is the name of a claim or an RR of the fingerprint.
fn belongs_to(object: &str, fingerprint: &str) -> bool {
    object.contains(&fingerprint[..12])
}
