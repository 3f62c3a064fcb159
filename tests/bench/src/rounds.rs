//! Runs the same storms on all contenders, in turns within each round.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::contender::Contender;
use super::data::{At, Data};
use super::figure::Figure;
use super::load::{Amount, Load, RATE, measure};
use super::progress::Progress;
use super::turns::turns;

/// A kind of storm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) at_once: usize,
    pub(super) incidents: usize,
    /// Whether half of all signals are about one additional incident.
    pub(super) hot: bool,
    /// The number of signals, each retried until it is acknowledged. `None`: as many as fit into a given time, without
    /// retries. With several incidents, contenders of different speed get comparable storms only with a fixed number.
    pub(super) signals: Option<u64>,
}

impl Case {
    /// Incidents that no contender has seen before.
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

/// Running contenders.
pub(super) type Rigs = Vec<(Contender, Rig)>;

/// Starts these contenders in `cluster`, each with `replicas` replicas.
///
/// # Errors
/// If a component cannot be fetched, built or started.
pub(super) async fn start(contenders: &[Contender], cluster: &Arc<Cluster>, replicas: usize) -> Result<Rigs> {
    let mut rigs = Rigs::new();
    for &contender in contenders {
        rigs.push((contender, contender.start(cluster, replicas).await?));
    }
    Ok(rigs)
}

/// One contender's storm in one round.
pub(super) struct Turn<'a> {
    pub(super) at: At<'a>,
    pub(super) rig: &'a Rig,
    pub(super) load: Load,
}

/// Measures all turns of rounds 1 to `rounds`. `turns` lists the turns of a round; those of round 0 run first, to warm up all
/// caches, and their values are dropped.
///
/// # Errors
/// If a process has exited.
pub(super) async fn run_rounds<'a>(data: &mut Data, rounds: u32, turns: impl Fn(u32) -> Vec<Turn<'a>>) -> Result<()> {
    let plan: Vec<_> = (0..=rounds).map(turns).collect();
    let progress = Progress::new(plan.iter().map(Vec::len).sum());
    for (round, turns) in (0_u32..).zip(plan) {
        for Turn { at, rig, load } in turns {
            progress.doing(format_args!("{at}, round {round} of {rounds}"));
            let values = measure(rig, load).await.with_context(|| at.to_string())?;
            if let Some(round) = round.checked_sub(1) {
                data.add(at, round, values);
            }
            progress.step();
        }
    }
    Ok(())
}

/// Runs every storm on every contender, round by round.
///
/// # Errors
/// If a process has exited.
pub(super) async fn run(data: &mut Data, rigs: Rigs, cases: &[Case], rounds: u32, time: Duration) -> Result<()> {
    run_by_size(data, &[(0.0, rigs)], cases, rounds, time).await
}

/// Runs every storm on every contender at every size (number of replicas, or another quantity), round by round. Storms without
/// a number of signals last for `time`.
///
/// # Errors
/// If a process has exited.
pub(super) async fn run_by_size(
    data: &mut Data,
    sizes: &[(f64, Rigs)],
    cases: &[Case],
    rounds: u32,
    time: Duration,
) -> Result<()> {
    let contenders = sizes.first().map_or(0, |(_, rigs)| rigs.len());
    let turn = |case: &Case, contender: usize, size: usize, round: u32| {
        let amount = match (case.signals, round) {
            (None, 0) => Amount::For(time / 4),
            (None, _) => Amount::For(time),
            (Some(_), 0) => return None,
            (Some(signals), _) => Amount::Signals(signals),
        };
        let (x, rigs) = &sizes[size];
        let (contender, rig) = &rigs[contender];
        let at = At { case: case.name, contender: contender.name(), x: *x };
        Some(Turn { at, rig, load: Load { incidents: case.incidents(round), at_once: case.at_once, amount } })
    };
    let turns_of = |round| {
        let of_case = |case| {
            let order = turns(contenders, sizes.len(), round).into_iter();
            order.filter_map(move |(contender, size)| turn(case, contender, size, round))
        };
        cases.iter().flat_map(of_case).collect()
    };
    run_rounds(data, rounds, turns_of).await?;
    ensure_all_count(data)
}

/// Whatever is compared with a contender that counts nothing at all would be infinitely better.
fn ensure_all_count(data: &Data) -> Result<()> {
    let broken = data.contender_without(RATE);
    ensure!(broken.is_none(), "{broken:?} has counted nothing in any storm: its replicas refuse everything");
    Ok(())
}

/// Figures at x = 0, 1, 2, ...: the groups of a bar chart.
pub(super) fn points(figures: impl Iterator<Item = Option<Figure>>) -> Vec<(f64, Figure)> {
    figures.enumerate().filter_map(|(place, figure)| Some((place as f64, figure?))).collect()
}
