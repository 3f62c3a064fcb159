//! Whether the RRs of a storm are correct: one per incident, counting every acknowledged signal and none that was not sent.

use onceway_kit::rig::Verdict;

use super::bar::{Bar, BarCheck};
use super::data::{At, Data};

/// The most RRs of any incident; correct: 1.
pub(super) const MOST_RRS: &str = "most RRs of an incident";
/// The share of acknowledged signals that are counted; correct: 1.
pub(super) const COUNTED: &str = "counted/acknowledged";
/// Signals counted beyond those sent; correct: 0.
pub(super) const EXCESS: &str = "counted, never sent";

/// The bars that every round of all these storms must meet.
pub(super) fn bars(data: &Data, storms: &[At<'_>], what: &str) -> Vec<BarCheck> {
    let correct = [(MOST_RRS, Bar::AtMost(1.0)), (COUNTED, Bar::AtLeast(1.0)), (EXCESS, Bar::AtMost(0.0))];
    let check = |(metric, bar): (&str, _)| {
        let rounds = storms.iter().flat_map(|at| data.values(*at, metric)).map(|(_, value)| value);
        BarCheck::every_round(format!("{what}: {metric}"), rounds.collect(), bar)
    };
    correct.map(check).into()
}

/// A storm's verdict in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Audit {
    /// Incidents with an acknowledged signal.
    pub(super) incidents: u64,
    /// RRs of these incidents.
    pub(super) rrs: u64,
    /// The most RRs of any incident.
    pub(super) most: u64,
    /// Acknowledged signals that are counted.
    pub(super) correct: u64,
    /// Signals counted beyond those sent.
    pub(super) excess: u64,
}

impl Audit {
    /// Sums up a verdict, incident by incident: an error in one does not cancel an error in another.
    pub(super) fn of(verdict: &Verdict) -> Self {
        let mut audit = Self::default();
        for incident in &verdict.incidents {
            let rrs = incident.rrs.len() as u64;
            audit.most = audit.most.max(rrs);
            audit.excess += incident.counted.saturating_sub(incident.attempts);
            if incident.acknowledged > 0 {
                audit.incidents += 1;
                audit.rrs += rrs;
                // A signal that is counted but not acknowledged is sent again: it does not make up for a lost one.
                audit.correct += incident.acknowledged.min(incident.counted);
            }
        }
        audit
    }
}

#[cfg(test)]
mod tests {
    use super::{Audit, Verdict};
    use onceway_kit::payload::Incident;
    use onceway_kit::rig::IncidentVerdict;

    #[test]
    fn a_lost_duplicate_or_excess_count_of_one_incident_is_not_cancelled_by_another() {
        // Attempts, acknowledged, RRs, counted.
        let cases = [(9, 5, 1, 3), (6, 5, 2, 7), (1, 0, 1, 1), (4, 4, 0, 0)];
        let incidents = Incident::several("prod", cases.len());
        let verdict = |(incident, (attempts, acknowledged, rrs, counted)): (&Incident, _)| IncidentVerdict {
            fingerprint: incident.fingerprint(),
            rrs: vec![String::new(); rrs],
            counted,
            lists_add_up: true,
            acknowledged,
            attempts,
        };
        let incidents = incidents.iter().zip(cases).map(verdict).collect();
        let audit = Audit::of(&Verdict { incidents, unacknowledged: 0 });
        assert_eq!(audit, Audit { incidents: 3, rrs: 3, most: 2, correct: 8, excess: 1 });
    }
}
