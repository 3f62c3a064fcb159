//! As RRs gather in the namespace. Each number of them has a cluster of its own, so that they can take turns.

use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::CONTENDERS;
use crate::Depth;
use crate::data::Data;
use crate::duel::{self, Case, Rigs};
use crate::progress::Progress;

pub(super) const CASE: &str = "RRs in the namespace, one incident, 100 at a time";
pub(super) const X: &str = "RRs";
const REPLICAS: usize = 3;
/// RRs that are created at a time.
const CREATES: usize = 32;

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    // The least and the most, which a bar compares, are neighbours: what disturbs the machine disturbs both of them.
    let (sizes, rounds): (&[usize], _) = match depth {
        Depth::Quick => (&[100, 3000], [9, 3]),
        Depth::Full => (&[100, 20_000, 1000, 5000], [25, 5]),
    };
    let case = Case { name: CASE, at_once: 100, incidents: 1, hot: false, signals: None };
    let stocks = stock(sizes).await?;
    // What is compared is the growth of each contender: each has its turn with all sizes, and with storms as long as it needs.
    for ((sizes, rounds), seconds) in stocks.iter().zip(rounds).zip([1.5, 3.0]) {
        duel::run_by_size(data, sizes, &[case], rounds, Duration::from_secs_f64(seconds)).await?;
    }
    Ok(())
}

/// A cluster for each of these numbers, with as many RRs in each contender's namespace; by contender.
async fn stock(sizes: &[usize]) -> Result<[Vec<(f64, Rigs)>; CONTENDERS.len()]> {
    let progress = Progress::new(sizes.len());
    let mut stocks = CONTENDERS.map(|_| Vec::new());
    for &rrs in sizes {
        progress.doing(format_args!("creating {rrs} RRs for each contender"));
        let cluster = Cluster::start().await?;
        for (contender, stock) in CONTENDERS.into_iter().zip(&mut stocks) {
            let rigs = duel::start(&[contender], &cluster, REPLICAS).await?;
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
