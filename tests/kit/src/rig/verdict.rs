//! Compares a storm's responses with the RRs: exactly one RR per incident, and every acknowledged signal counted in it.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use onceway_signal::Fingerprint;

use super::rrs::{Rr, RrExt};
use super::running::Rig;
use crate::storm::Report;

/// The RRs of one incident beside what its senders observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentVerdict {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// The names of its RRs, oldest first.
    pub rrs: Vec<String>,
    /// The sum of its RRs' counts.
    pub counted: u64,
    /// Whether the signal list of each RR adds up to its count. An RR without a list passes: the CRD may prune it.
    pub lists_add_up: bool,
    /// Signals with a 2xx response.
    pub acknowledged: u64,
    /// Requests sent, including repeats of the same signal.
    pub attempts: u64,
}

impl IncidentVerdict {
    /// One RR, acknowledged <= counted <= attempts (without repeats the three are equal), and a list of what was counted.
    pub fn is_exact(&self) -> bool {
        let counted = self.acknowledged <= self.counted && self.counted <= self.attempts;
        self.rrs.len() == 1 && counted && self.lists_add_up
    }
}

/// The verdict on a storm.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// By incident.
    pub incidents: Vec<IncidentVerdict>,
    /// Signals that were never acknowledged: rejected with 4xx, or given up after the last allowed attempt.
    pub unacknowledged: u64,
}

impl Verdict {
    /// Compares `report` with `rrs`, which may include RRs of other incidents. Linear in the number of RRs.
    pub(crate) fn of(report: &Report, rrs: &[Rr]) -> Self {
        let mut by_fingerprint: HashMap<&str, Vec<&Rr>> = HashMap::new();
        for rr in rrs {
            by_fingerprint.entry(&rr.spec.signal_fingerprint).or_default().push(rr);
        }
        let incidents = report.incidents.iter().map(|(fingerprint, observed)| {
            let rrs = by_fingerprint.remove(fingerprint.to_string().as_str()).unwrap_or_default();
            IncidentVerdict {
                fingerprint: *fingerprint,
                rrs: rrs.iter().map(|rr| rr.name().to_owned()).collect(),
                counted: rrs.iter().map(|rr| rr.count()).sum(),
                lists_add_up: rrs.iter().all(|rr| rr.listed().is_none_or(|listed| listed == rr.count())),
                acknowledged: observed.acknowledged,
                attempts: observed.attempts,
            }
        });
        let total = report.total();
        Self { incidents: incidents.collect(), unacknowledged: total.signals - total.acknowledged }
    }

    /// Whether there is at least one incident, every signal was acknowledged, and every incident is exact.
    pub fn is_exact(&self) -> bool {
        self.unacknowledged == 0 && !self.incidents.is_empty() && self.incidents.iter().all(IncidentVerdict::is_exact)
    }
}

impl Rig {
    /// Compares a storm's report with the RRs that the API server holds.
    ///
    /// # Errors
    /// If the list of RRs fails.
    pub async fn compare(&self, report: &Report) -> Result<Verdict> {
        // For one incident the API server selects: its RRs may be few among tens of thousands.
        let rrs = match report.incidents.keys().next() {
            Some(&only) if report.incidents.len() == 1 => self.rrs_of_fingerprint(only).await?,
            _ => self.rrs().await?,
        };
        Ok(Verdict::of(report, &rrs))
    }

    /// Like [`Rig::compare`], for tests: a verdict that is not exact is an error.
    ///
    /// # Errors
    /// If the list of RRs fails or the verdict is not exact; the error has the history of the API calls that wrote.
    pub async fn verdict(&self, report: &Report) -> Result<Verdict> {
        let verdict = self.compare(report).await?;
        ensure!(verdict.is_exact(), "not exact: {verdict:#?}\n{}", self.record.text());
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::{IncidentVerdict, Rr, Verdict};
    use crate::payload::Incident;
    use crate::rig::rrs::foreign;
    use crate::storm::{IncidentReport, Report};

    fn counting(incident: &Incident, name: &str, count: u32) -> Rr {
        let mut rr = foreign(incident, name);
        rr.status = from_value(json!({ "deduplication": { "occurrenceCount": count } })).unwrap();
        rr
    }

    #[test]
    fn each_incident_is_compared_with_its_own_rrs() {
        let incidents = Incident::several("prod", 3);
        let rrs = [
            counting(&incidents[0], "first", 2),
            counting(&incidents[2], "of-no-storm", 7),
            counting(&incidents[0], "second", 3),
        ];
        let mut report = Report::default();
        for (incident, acknowledged) in incidents.iter().zip([4, 1]) {
            let observed = IncidentReport { signals: 5, attempts: 6, acknowledged, ..IncidentReport::default() };
            report.incidents.insert(incident.fingerprint(), observed);
        }
        let verdict = Verdict::of(&report, &rrs);
        let wanted = |incident: &Incident, rrs: &[&str], counted, acknowledged| IncidentVerdict {
            fingerprint: incident.fingerprint(),
            rrs: rrs.iter().map(ToString::to_string).collect(),
            counted,
            lists_add_up: true,
            acknowledged,
            attempts: 6,
        };
        let mut all = [wanted(&incidents[0], &["first", "second"], 5, 4), wanted(&incidents[1], &[], 0, 1)];
        all.sort_by_key(|incident| incident.fingerprint);
        assert_eq!(verdict.incidents, all);
        assert_eq!(verdict.unacknowledged, 5);
        assert!(!verdict.is_exact());
    }

    #[test]
    fn a_signal_list_that_does_not_add_up_to_the_count_is_not_exact() {
        let incident = Incident::new("prod", "payment-api");
        let mut report = Report::default();
        let observed = IncidentReport { signals: 3, attempts: 3, acknowledged: 3, ..IncidentReport::default() };
        report.incidents.insert(incident.fingerprint(), observed);
        let mut rr = counting(&incident, "only", 3);
        assert!(Verdict::of(&report, &[rr.clone()]).is_exact(), "without a list");
        for (listed, exact) in [(2, false), (3, true), (4, false)] {
            let entry =
                json!({ "name": "Down", "count": listed, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:00Z" });
            rr.status = from_value(json!({ "deduplication": { "occurrenceCount": 3, "signals": [entry] } })).unwrap();
            assert_eq!(Verdict::of(&report, &[rr.clone()]).is_exact(), exact, "{listed}");
        }
    }
}
