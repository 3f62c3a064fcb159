//! One kind of webhooks in one round: its capacity, and each factor of it.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::rig::Rig;
use onceway_signal::Fingerprint;

use super::attempt::Sender;
use super::ledger::counts;
use super::open_loop::{Load, OpenLoop, Seen};
use super::probe::{Probe, count_ejected};
use super::webhooks::{Size, Webhooks};
use super::{
    APISERVER, CALLS, COUNTED, Case, DRAIN, EJECTED, ENVOY, GOODPUT, LATENCY, OFFERED, Plan, RECOVERY, REFUSAL,
    REFUSED, SENDER, SIDECARS, SILENT, WRONG, capacity,
};
use crate::cost::{Reading, Spent};

/// What the sender reports if webhooks were never acknowledged, in seconds: above any bar.
const NEVER: f64 = 1e6;

/// One kind of webhooks.
pub(super) struct Round<'a> {
    pub(super) rig: &'a Rig,
    pub(super) incidents: &'a [Fingerprint],
    pub(super) webhooks: &'a mut Webhooks,
    pub(super) case: Case,
    pub(super) plan: Plan,
}

impl Round<'_> {
    /// Webhooks per second in a closed loop.
    pub(super) async fn capacity(&mut self) -> f64 {
        let Case { size, at_once, .. } = self.case;
        let sender = Sender::to(self.rig.envoy().url());
        capacity::measure(&sender, self.webhooks, size, at_once, self.time(self.plan.capacity)).await
    }

    fn time(&self, time: Duration) -> Duration {
        let has_large = matches!(self.case.size, Size::Each(1000) | Size::Mixed);
        if has_large { self.plan.large * time } else { time }
    }

    /// Offers a factor of the capacity.
    ///
    /// # Errors
    /// If a process has exited or the RRs cannot be listed.
    pub(super) async fn overload(&mut self, capacity: f64, factor: f64) -> Result<Vec<(&'static str, f64)>> {
        let (rig, time) = (self.rig, self.time(self.plan.overload));
        let probe = Probe::at(rig.envoy().url()).await;
        let before = counts(rig, self.incidents).await?;
        let sender = Sender::to(rig.envoy().url());
        let most = (capacity * self.case.size.mean() * self.plan.backlog).ceil().max(1.0) as usize;
        let load = Load { size: self.case.size, rate: capacity * factor, rate_after: capacity, most, time };
        let mut ejected = 0;
        let work = async {
            let before = Reading::of_busy(rig).await?;
            let mut open_loop = OpenLoop::new(&sender, self.webhooks, load);
            open_loop.overload().await;
            let spent = Reading::after(rig).await?.since(&before);
            let seen = open_loop.drain().await;
            anyhow::Ok((seen, spent, probe.recovery().await))
        };
        let (seen, spent, recovery) = tokio::select! {
            done = work => done?,
            never = count_ejected(rig, &mut ejected) => match never {},
        };
        let after = counts(rig, self.incidents).await?;
        let balance = seen.ledger.balance(after.iter().zip(&before).map(|(after, before)| after - before));
        let seconds = time.as_secs_f64();
        let mut values = values(&seen, seconds, capacity);
        values.extend([
            (COUNTED, balance.counted),
            (WRONG, balance.wrong as f64),
            (RECOVERY, recovery.as_secs_f64()),
            (EJECTED, ejected as f64),
        ]);
        values.extend(rates(&spent, seconds));
        Ok(values)
    }
}

fn values(seen: &Seen, seconds: f64, capacity: f64) -> Vec<(&'static str, f64)> {
    let attempts = seen.attempts as f64;
    let mut values = vec![
        (OFFERED, attempts / seconds / capacity),
        (GOODPUT, seen.signals as f64 / (seconds * 2.0 / 3.0)),
        (REFUSED, seen.not_acknowledged as f64 / attempts),
        (SILENT, seen.silent as f64),
        (DRAIN, seen.drained.as_ref().map_or(NEVER, Duration::as_secs_f64)),
    ];
    values.extend(p99(&seen.refusals_ms).map(|ms| (REFUSAL, ms)));
    values.extend(p99(&seen.acknowledgements_ms).map(|ms| (LATENCY, ms)));
    values
}

fn rates(spent: &Spent, seconds: f64) -> [(&'static str, f64); 5] {
    let cores = |part| spent.cpu.get(part).unwrap_or(&0.0) / seconds;
    [
        (CALLS, (spent.calls.reads + spent.calls.writes) / seconds),
        (APISERVER, cores("API server") + cores("etcd")),
        (SIDECARS, cores("sidecars")),
        (ENVOY, cores("Envoy")),
        (SENDER, cores("sender")),
    ]
}

/// `None` if there are none.
fn p99(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get((values.len() * 99).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::p99;

    #[test]
    fn one_of_a_hundred_is_above_the_p99() {
        let values: Vec<f64> = (1..=200).map(f64::from).rev().collect();
        assert_eq!((p99(&values), p99(&[7.0]), p99(&[])), (Some(198.0), Some(7.0), None));
    }
}
