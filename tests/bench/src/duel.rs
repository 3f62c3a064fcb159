//! Storms that all contenders take in turn.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{Figure, count};
use super::load::{Amount, Load, measure};
use super::progress::Progress;
use super::turns::turns;

/// A kind of storm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) at_once: usize,
    pub(super) incidents: usize,
    /// Whether half of all signals are about one more incident.
    pub(super) hot: bool,
    /// How many signals, each sent until it is acknowledged; `None`: as many as go in some time, each sent once. Contenders
    /// of unequal speed take the same storm only where its incidents get the same numbers of signals, or are one.
    pub(super) signals: Option<u64>,
}

impl Case {
    /// Incidents that nobody has seen before.
    fn incidents(&self, round: u32) -> Vec<Incident> {
        let fresh = |n: usize| {
            let storm = format!("{}-{}-{}", self.at_once, self.incidents, self.hot);
            Incident::new("prod", &format!("service-{storm}-{round}-{n}"))
        };
        let all = (0..self.incidents).map(fresh);
        match self.hot {
            false => all.collect(),
            true => all.flat_map(|cold| [fresh(self.incidents), cold]).collect(),
        }
    }
}

/// Contenders that run.
pub(super) type Rigs = Vec<(Contender, Rig)>;

/// Starts these contenders in `cluster`, each with so many replicas.
///
/// # Errors
/// If a part cannot be had, built or started.
pub(super) async fn start(contenders: &[Contender], cluster: &Arc<Cluster>, replicas: usize) -> Result<Rigs> {
    let mut rigs = Rigs::new();
    for &contender in contenders {
        rigs.push((contender, contender.start(cluster, replicas).await?));
    }
    Ok(rigs)
}

/// Has every contender take every storm, round by round.
///
/// # Errors
/// If a part is gone.
pub(super) async fn run(data: &mut Data, rigs: Rigs, cases: &[Case], rounds: u32, time: Duration) -> Result<()> {
    run_by_size(data, &[(0.0, rigs)], cases, rounds, time).await
}

/// Has every contender of every size (of replicas, or of whatever is varied) take every storm, round by round.
///
/// # Errors
/// Those of [`run`].
pub(super) async fn run_by_size(
    data: &mut Data,
    sizes: &[(f64, Rigs)],
    cases: &[Case],
    rounds: u32,
    time: Duration,
) -> Result<()> {
    let contenders = sizes.first().map_or(0, |(_, rigs)| rigs.len());
    let progress = Progress::new(sizes.len() * contenders * cases.len() * (rounds as usize + 1));
    // The caches of all parts are warm after a round that is not measured.
    for round in 0..=rounds {
        for case in cases {
            for (contender, size) in turns(contenders, sizes.len(), round) {
                progress.step();
                let (x, rigs) = &sizes[size];
                let (contender, rig) = &rigs[contender];
                let (name, who) = (case.name, contender.name());
                let what =
                    if sizes.len() > 1 { format!("{name}: {}, {who}", count(*x)) } else { format!("{name}, {who}") };
                progress.doing(format_args!("{what}, round {round} of {rounds}"));
                let (at_once, incidents) = (case.at_once, case.incidents(round));
                let amount = match (case.signals, round) {
                    (None, 0) => Amount::For(time / 4),
                    (None, _) => Amount::For(time),
                    (Some(_), 0) => continue,
                    (Some(signals), _) => Amount::Signals(signals),
                };
                let values = measure(rig, Load { incidents, at_once, amount }).await;
                let values = values.with_context(|| what)?;
                if let Some(round) = round.checked_sub(1) {
                    data.add(At { case: name, contender: who, x: *x }, round, values);
                }
            }
        }
    }
    Ok(())
}

/// Figures at 0, 1, 2, ...: groups of bars.
pub(super) fn points(figures: impl Iterator<Item = Option<Figure>>) -> Vec<(f64, Figure)> {
    figures.enumerate().filter_map(|(place, figure)| Some((place as f64, figure?))).collect()
}
