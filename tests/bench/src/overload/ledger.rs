//! What was attempted and acknowledged of each incident, to compare with what its RR counts.

use std::collections::HashMap;

use anyhow::Result;
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Fingerprint;

use super::webhooks::Webhook;

/// Signals of each incident.
#[derive(Debug)]
pub(super) struct Ledger {
    attempted: Vec<u64>,
    acknowledged: Vec<u64>,
}

/// How the counts compare.
#[derive(Debug, PartialEq)]
pub(super) struct Balance {
    /// Counted signals over acknowledged ones.
    pub(super) counted: f64,
    /// Incidents of which not acknowledged <= counted <= attempted.
    pub(super) wrong: usize,
}

impl Ledger {
    pub(super) fn of(incidents: usize) -> Self {
        Self { attempted: vec![0; incidents], acknowledged: vec![0; incidents] }
    }

    pub(super) fn attempted(&mut self, webhook: &Webhook) {
        add(&mut self.attempted, webhook);
    }

    pub(super) fn acknowledged(&mut self, webhook: &Webhook) {
        add(&mut self.acknowledged, webhook);
    }

    /// Compares with what was counted of each incident.
    pub(super) fn balance(&self, counted: impl Iterator<Item = u64>) -> Balance {
        let (mut sum, mut wrong) = (0, 0);
        for ((counted, acknowledged), attempted) in counted.zip(&self.acknowledged).zip(&self.attempted) {
            sum += counted;
            wrong += usize::from(!(*acknowledged..=*attempted).contains(&counted));
        }
        Balance { counted: sum as f64 / self.acknowledged.iter().sum::<u64>() as f64, wrong }
    }
}

fn add(sums: &mut [u64], webhook: &Webhook) {
    let incidents = sums.len();
    for place in webhook.first..webhook.first + webhook.size {
        sums[place % incidents] += 1;
    }
}

/// The counts of these incidents' RRs.
///
/// # Errors
/// If the RRs cannot be listed.
pub(super) async fn counts(rig: &Rig, incidents: &[Fingerprint]) -> Result<Vec<u64>> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for rr in rig.rrs().await? {
        *counts.entry(rr.spec.signal_fingerprint.clone()).or_default() += rr.count();
    }
    Ok(incidents.iter().map(|fingerprint| counts.get(&*fingerprint.hex()).copied().unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::{Balance, Ledger, Webhook};

    #[test]
    fn each_incident_is_counted_between_acknowledged_and_attempted() {
        let webhook = |first, size| Webhook { number: 0, first, size, attempts: 0, body: bytes::Bytes::new() };
        let mut ledger = Ledger::of(4);
        // 3, 0, 1 twice, and acknowledged once.
        ledger.attempted(&webhook(3, 3));
        ledger.attempted(&webhook(3, 3));
        ledger.acknowledged(&webhook(3, 3));
        let balance = |counted: [u64; 4]| ledger.balance(counted.into_iter());
        assert_eq!(balance([1, 2, 0, 1]), Balance { counted: 4.0 / 3.0, wrong: 0 });
        assert_eq!(balance([0, 3, 1, 1]).wrong, 3);
    }
}
