//! Cost over the number of RRs in the namespace. Each number has its own cluster, so that they can run in turns.

use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::CONTENDERS;
use crate::Depth;
use crate::data::Data;
use crate::progress::Progress;
use crate::rounds::{self, Case, Rigs};

pub(super) const CASE: &str = "RRs in the namespace, one incident, 100 at a time";
pub(super) const X: &str = "RRs";
const REPLICAS: usize = 3;
/// Creates in flight.
const CREATES: usize = 32;

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    // A bar compares the smallest and the largest; they run next to each other, so that a disturbance affects both.
    let (sizes, rounds): (&[usize], _) = match depth {
        Depth::Quick => (&[100, 3000], [9, 3]),
        Depth::Full => (&[100, 20_000, 1000, 5000], [25, 5]),
    };
    let case = Case { name: CASE, at_once: 100, incidents: 1, hot: false, signals: None };
    let stocks = stock(sizes).await?;
    // Each contender is compared with itself over all sizes; rounds and storm lengths may differ between contenders.
    for ((sizes, rounds), seconds) in stocks.iter().zip(rounds).zip([1.5, 3.0]) {
        rounds::run_by_size(data, sizes, &[case], rounds, Duration::from_secs_f64(seconds)).await?;
    }
    Ok(())
}

/// For each contender, its rigs by number of RRs. Each number has one cluster, with that many RRs in each contender's
/// namespace.
async fn stock(sizes: &[usize]) -> Result<[Vec<(f64, Rigs)>; CONTENDERS.len()]> {
    let progress = Progress::new(sizes.len());
    let mut stocks = CONTENDERS.map(|_| Vec::new());
    for &rrs in sizes {
        progress.doing(format_args!("creating {rrs} RRs for each contender"));
        let cluster = Cluster::start().await?;
        for (contender, stock) in CONTENDERS.into_iter().zip(&mut stocks) {
            let rigs = rounds::start(&[contender], &cluster, REPLICAS).await?;
            for (_, rig) in &rigs {
                fill(rig, rrs).await?;
            }
            stock.push((rrs as f64, rigs));
        }
        progress.step();
    }
    Ok(stocks)
}

async fn fill(rig: &Rig, rrs: usize) -> Result<()> {
    let create = |n: usize| async move {
        let incident = Incident::new("stock", &format!("service-{n}"));
        rig.create_foreign(&incident, &format!("stock-{n}")).await.map(drop)
    };
    stream::iter((0..rrs).map(create)).buffer_unordered(CREATES).try_collect().await
}
