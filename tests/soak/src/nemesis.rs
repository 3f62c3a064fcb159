//! Makes things go wrong, for each replica on its own: one hand strikes its process and its clock, another the way between
//! it and the API server. What is struck, when, and for how long comes from the seed; what the replica was doing at that
//! moment does not.

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

use super::history::Fault as Struck;
use super::recorder::Recorder;

mod calls;
mod kind;

use self::kind::{CALLS, Kind, PROCESS};

/// How long a replica is left alone between two strikes of a hand, in milliseconds.
const PEACE_MS: std::ops::RangeInclusive<u64> = 1_000..=4_000;
/// How long most faults last, in milliseconds.
const STRIKE_MS: std::ops::RangeInclusive<u64> = 150..=1_200;
/// How long a replica stands still that is to outlast its lease, in milliseconds; the lease is of five seconds.
const BEYOND_LEASE_MS: std::ops::RangeInclusive<u64> = 5_100..=6_000;
/// By how many seconds a clock is wrong at most: tokens and certificates are to stay valid.
const MAX_JUMP_S: i64 = 50 * 60;

/// What it strikes, and with what.
struct Hand {
    rig: Arc<Rig>,
    recorder: Arc<Recorder>,
    replica: usize,
    kinds: &'static [(Kind, u32)],
    rng: StdRng,
    /// One replica at least is left alone by each sort of fault, so that something goes on.
    turns: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// Strikes until it is told to stop; then ends what is under way.
///
/// # Errors
/// If a replica cannot be struck, or does not get ready again.
pub(super) async fn strike(
    rig: &Arc<Rig>,
    recorder: &Arc<Recorder>,
    seed: u64,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let (mut hands, mut seeds) = (Vec::new(), StdRng::seed_from_u64(seed));
    let replicas = rig.sidecars().len();
    for kinds in [PROCESS, CALLS] {
        let turns = Arc::new(Semaphore::new(replicas.saturating_sub(1).max(1)));
        for replica in 0..replicas {
            let (rig, recorder, turns) = (Arc::clone(rig), Arc::clone(recorder), Arc::clone(&turns));
            let (rng, stop) = (StdRng::seed_from_u64(seeds.random()), stop.clone());
            hands.push(Hand { rig, recorder, replica, kinds, rng, turns, stop }.run());
        }
    }
    try_join_all(hands).await.map(drop)
}

/// Leaves all replicas ready, in sync, and with true clocks.
///
/// # Errors
/// If a replica does not get ready.
pub(super) async fn calm(rig: &Rig) -> Result<()> {
    for sidecar in rig.sidecars() {
        sidecar.clock().set(SignedDuration::ZERO)?;
    }
    try_join_all(rig.sidecars().iter().map(|sidecar| sidecar.until_ready())).await?;
    try_join_all(rig.sidecars().iter().map(|sidecar| sidecar.until_in_sync())).await?;
    Ok(())
}

impl Hand {
    async fn run(mut self) -> Result<()> {
        while !*self.stop.borrow() {
            let peace = self.draw_ms(PEACE_MS);
            self.pause(peace).await;
            let kind = self.draw_kind();
            let turns = Arc::clone(&self.turns);
            let _turn = turns.acquire().await?;
            if !*self.stop.borrow() {
                self.strike(kind).await?;
            }
        }
        Ok(())
    }

    async fn strike(&mut self, kind: Kind) -> Result<()> {
        let at = self.recorder.now();
        let length = self.draw_ms(if kind == Kind::FreezeBeyondLease { BEYOND_LEASE_MS } else { STRIKE_MS });
        let rig = Arc::clone(&self.rig);
        let sidecar = rig.sidecar(self.replica);
        let hits = match kind {
            Kind::Kill => {
                sidecar.service().kill().await?;
                self.pause(length).await;
                sidecar.service().restart()?;
                sidecar.until_ready().await?;
                1
            }
            Kind::Freeze | Kind::FreezeBeyondLease => {
                sidecar.service().freeze()?;
                self.pause(length).await;
                sidecar.service().thaw()?;
                1
            }
            Kind::ClockJump => {
                let seconds = self.rng.random_range(-MAX_JUMP_S..=MAX_JUMP_S);
                sidecar.clock().set(SignedDuration::from_secs(seconds))?;
                1
            }
            _ => self.strike_calls(kind, length).await,
        };
        if hits > 0 {
            let ms = self.recorder.now().saturating_sub(at) / 1_000;
            self.recorder.fault(Struck { at, replica: self.replica, kind: kind.name().to_owned(), ms, hits });
        }
        Ok(())
    }

    fn draw_kind(&mut self) -> Kind {
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

    /// A pause that ends early when there is to be no more of it.
    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = sleep(length) => {}
            // The sender is there for as long as the nemesis is.
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
