//! Injects faults into each replica independently: one injector for its process and clock, another for its calls to the
//! API server. The seed determines the faults, their times and lengths; it does not determine what the replica does at
//! that moment.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use jiff::SignedDuration;
use onceway_kit::rig::Rig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::history::InjectedFault;
use super::recorder::Recorder;

mod calls;
mod kind;

use self::kind::{CALL_FAULTS, FaultKind, PROCESS_FAULTS};

/// The pause between two faults of an injector, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 1_000..=4_000;
/// How long most faults last, in milliseconds.
const FAULT_MS: std::ops::RangeInclusive<u64> = 150..=1_200;
/// How long a freeze beyond the lease lasts, in milliseconds; `lease.duration` is 5 s.
const BEYOND_LEASE_MS: std::ops::RangeInclusive<u64> = 5_100..=6_000;
/// The largest clock offset, in seconds. Tokens and certificates stay valid within it.
const MAX_JUMP_S: i64 = 50 * 60;

/// Injects one class of faults into one replica.
struct Injector {
    rig: Arc<Rig>,
    recorder: Arc<Recorder>,
    replica: usize,
    kinds: &'static [(FaultKind, u32)],
    rng: StdRng,
    /// Keeps at least one of several replicas free of this class of faults, so that some signals are counted.
    permits: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// Injects faults until `stop`, then ends the active ones.
///
/// # Errors
/// If a fault cannot be injected, or a replica does not become ready again.
pub(super) async fn run(
    rig: &Arc<Rig>,
    recorder: &Arc<Recorder>,
    seed: u64,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let (mut injectors, mut seeds) = (Vec::new(), StdRng::seed_from_u64(seed));
    let replicas = rig.sidecars().len();
    for kinds in [PROCESS_FAULTS, CALL_FAULTS] {
        let permits = Arc::new(Semaphore::new(replicas.saturating_sub(1).max(1)));
        for replica in 0..replicas {
            let (rig, recorder, permits) = (Arc::clone(rig), Arc::clone(recorder), Arc::clone(&permits));
            let (rng, stop) = (StdRng::seed_from_u64(seeds.random()), stop.clone());
            injectors.push(Injector { rig, recorder, replica, kinds, rng, permits, stop }.run());
        }
    }
    try_join_all(injectors).await.map(drop)
}

/// Resets all clocks and waits until all replicas are ready and in sync.
///
/// # Errors
/// If a replica does not become ready.
pub(super) async fn restore(rig: &Rig) -> Result<()> {
    for sidecar in rig.sidecars() {
        sidecar.clock().set(SignedDuration::ZERO)?;
    }
    try_join_all(rig.sidecars().iter().map(|sidecar| sidecar.until_ready())).await?;
    try_join_all(rig.sidecars().iter().map(|sidecar| sidecar.until_in_sync())).await?;
    Ok(())
}

impl Injector {
    async fn run(mut self) -> Result<()> {
        while !*self.stop.borrow() {
            let length = self.draw_ms(PAUSE_MS);
            self.pause(length).await;
            let kind = self.draw_kind();
            let permits = Arc::clone(&self.permits);
            let _permit = permits.acquire().await?;
            if !*self.stop.borrow() {
                self.inject(kind).await?;
            }
        }
        Ok(())
    }

    async fn inject(&mut self, kind: FaultKind) -> Result<()> {
        let at = self.recorder.now();
        let length = self.draw_ms(if kind == FaultKind::FreezeBeyondLease { BEYOND_LEASE_MS } else { FAULT_MS });
        let rig = Arc::clone(&self.rig);
        let sidecar = rig.sidecar(self.replica);
        let injected = match kind {
            FaultKind::Kill => {
                sidecar.service().kill().await?;
                self.pause(length).await;
                sidecar.service().restart()?;
                sidecar.until_ready().await?;
                1
            }
            FaultKind::Freeze | FaultKind::FreezeBeyondLease => {
                sidecar.service().freeze()?;
                self.pause(length).await;
                sidecar.service().thaw()?;
                1
            }
            FaultKind::ClockJump => {
                let seconds = self.rng.random_range(-MAX_JUMP_S..=MAX_JUMP_S);
                sidecar.clock().set(SignedDuration::from_secs(seconds))?;
                1
            }
            _ => self.inject_into_calls(kind, length).await,
        };
        if injected > 0 {
            let ms = self.recorder.now().saturating_sub(at) / 1_000;
            self.recorder.fault(InjectedFault {
                at,
                replica: self.replica,
                kind: kind.name().to_owned(),
                ms,
                injected,
            });
        }
        Ok(())
    }

    fn draw_kind(&mut self) -> FaultKind {
        let mut left = self.rng.random_range(0..self.kinds.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in self.kinds {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *kind,
            }
        }
        // The draw is below the sum of the weights.
        self.kinds[0].0
    }

    fn draw_ms(&mut self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(range))
    }

    /// Sleeps, or returns early on `stop`.
    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = sleep(length) => {}
            // The sender outlives the nemesis, so the channel is never closed.
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
