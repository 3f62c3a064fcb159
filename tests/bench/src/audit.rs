//! Whether the RRs of a storm are right: one by incident, with every signal in it that was acknowledged, and no other.

use std::collections::BTreeMap;

use anyhow::Result;
use kube::api::ListParams;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, Rr, RrExt};
use onceway_kit::storm::Report;
use onceway_signal::Fingerprint;

use super::bar::{Bar, Judged};
use super::data::{At, Data};

/// The most RRs that any incident has; 1 is right.
pub(super) const MOST_RRS: &str = "most RRs of an incident";
/// Of the signals that were answered 2xx, those that are counted; 1 is right.
pub(super) const COUNTED: &str = "counted/acknowledged";
/// Signals that are counted and were never sent; 0 is right.
pub(super) const EXCESS: &str = "counted, never sent";

/// What must be so in every round of all of these storms.
pub(super) fn bars(data: &Data, storms: &[At<'_>], what: &str) -> Vec<Judged> {
    let right = [(MOST_RRS, Bar::AtMost(1.0)), (COUNTED, Bar::AtLeast(1.0)), (EXCESS, Bar::AtMost(0.0))];
    let judge = |(metric, bar): (&str, _)| {
        let rounds = storms.iter().flat_map(|at| data.values(*at, metric)).map(|(_, value)| value);
        Judged::always(format!("{what}: {metric}"), rounds.collect(), bar)
    };
    right.map(judge).into()
}

/// RRs, and signals counted in them, by incident.
pub(super) type Counted = BTreeMap<Fingerprint, (u64, u64)>;

/// Counts what the RRs of these incidents say.
///
/// # Errors
/// If the API server does not answer.
pub(super) async fn counted(rig: &Rig, incidents: &[Incident]) -> Result<Counted> {
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

/// What is right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Audit {
    /// Incidents of which a signal was acknowledged.
    pub(super) incidents: u64,
    /// RRs of these.
    pub(super) rrs: u64,
    /// The most RRs of any incident.
    pub(super) most: u64,
    /// Signals that were acknowledged and are counted.
    pub(super) right: u64,
    /// Signals that are counted and were never sent.
    pub(super) excess: u64,
}

impl Audit {
    /// Compares what the senders saw with what the RRs say.
    pub(super) fn of(report: &Report, counted: &Counted) -> Self {
        let mut audit = Self::default();
        for (fingerprint, told) in &report.incidents {
            let (rrs, signals) = counted.get(fingerprint).copied().unwrap_or_default();
            audit.most = audit.most.max(rrs);
            audit.excess += signals.saturating_sub(told.attempts);
            if told.acknowledged > 0 {
                audit.incidents += 1;
                audit.rrs += rrs;
                // What was counted and not acknowledged is sent again, and no gain.
                audit.right += told.acknowledged.min(signals);
            }
        }
        audit
    }
}

#[cfg(test)]
mod tests {
    use super::{Audit, Counted};
    use onceway_kit::payload::Incident;
    use onceway_kit::storm::{IncidentReport, Report};

    #[test]
    fn what_is_lost_doubled_or_made_up_of_one_incident_is_not_made_good_by_another() {
        let told = |attempts, acknowledged| IncidentReport { attempts, acknowledged, ..IncidentReport::default() };
        let incidents = Incident::several("prod", 4).into_iter().map(|incident| incident.fingerprint());
        let seen = [(told(9, 5), (1, 3)), (told(6, 5), (2, 7)), (told(1, 0), (1, 1)), (told(4, 4), (0, 0))];
        let (mut report, mut counted) = (Report::default(), Counted::new());
        for (fingerprint, (told, rrs)) in incidents.zip(seen) {
            report.incidents.insert(fingerprint, told);
            counted.insert(fingerprint, rrs);
        }
        let audit = Audit::of(&report, &counted);
        assert_eq!(audit, Audit { incidents: 3, rrs: 3, most: 2, right: 8, excess: 1 });
    }
}
