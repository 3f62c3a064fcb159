//! Storms that all contenders take in turn.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{Figure, digits};
use super::load::{Amount, Load, measure};
use super::progress::Progress;
use crate::cluster::Cluster;
use crate::payload::Incident;
use crate::rig::Rig;

/// A kind of storm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) at_once: usize,
    pub(super) incidents: usize,
    /// Whether half of all signals are about one more incident.
    pub(super) hot: bool,
}

impl Case {
    /// Incidents that nobody has seen before.
    fn incidents(&self, round: u32) -> Vec<Incident> {
        let fresh =
            |n: usize| Incident::new("prod", &format!("service-{}-{}-{round}-{n}", self.at_once, self.incidents));
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
    let all: Vec<(f64, &(Contender, Rig))> =
        sizes.iter().flat_map(|(x, rigs)| rigs.iter().map(|rig| (*x, rig))).collect();
    let progress = Progress::new(all.len() * cases.len() * (rounds as usize + 1));
    // Connections and caches of all parts are warm after a round that is not measured.
    for round in 0..=rounds {
        for case in cases {
            for place in 0..all.len() {
                // Who was first is last in the next round: nobody always has the same neighbour in time.
                let (x, (contender, rig)) = all[(place + round as usize) % all.len()];
                let size = if sizes.len() > 1 { format!("{} ", digits(x)) } else { String::new() };
                let (name, who) = (case.name, contender.name());
                progress.doing(format_args!("{size}{name}, {who}, round {round} of {rounds}"));
                let (at_once, incidents) = (case.at_once, case.incidents(round));
                let amount = Amount::For(if round == 0 { time / 4 } else { time });
                let values = measure(rig, Load { incidents, at_once, amount }).await;
                let values = values.with_context(|| format!("{size}{name}, {who}"))?;
                if let Some(round) = round.checked_sub(1) {
                    data.add(At { case: name, contender: who, x }, round, values);
                }
                progress.step();
            }
        }
    }
    Ok(())
}

/// Figures at 0, 1, 2, ...: groups of bars.
pub(super) fn points(figures: impl Iterator<Item = Option<Figure>>) -> Vec<(f64, Figure)> {
    figures.enumerate().filter_map(|(place, figure)| Some((place as f64, figure?))).collect()
}
