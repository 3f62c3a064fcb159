//! As RRs gather in the namespace. Each number of them has a cluster of its own, so that they can take turns.

use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::CONTENDERS;
use crate::bench::Depth;
use crate::bench::data::Data;
use crate::bench::duel::{self, Case, Rigs};
use crate::bench::progress::Progress;
use crate::cluster::Cluster;
use crate::payload::Incident;
use crate::rig::Rig;

pub(super) const CASE: &str = "RRs in the namespace, one incident, 100 at a time";
pub(super) const X: &str = "RRs";
const REPLICAS: usize = 3;
/// RRs that are created at a time.
const CREATES: usize = 32;

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    let (sizes, rounds, time): (&[usize], u32, _) = match depth {
        Depth::Quick => (&[100, 3000], 3, Duration::from_secs(3)),
        Depth::Full => (&[100, 1000, 5000, 20_000], 4, Duration::from_secs(4)),
    };
    let stocks = stock(sizes).await?;
    let case = Case { name: CASE, at_once: 100, incidents: 1, hot: false };
    duel::run_by_size(data, &stocks, &[case], rounds, time).await
}

/// A cluster for each of these numbers, with as many RRs in each contender's namespace.
async fn stock(sizes: &[usize]) -> Result<Vec<(f64, Rigs)>> {
    let progress = Progress::new(sizes.len());
    let mut stocks = Vec::new();
    for &rrs in sizes {
        progress.doing(format_args!("creating {rrs} RRs for each contender"));
        let rigs = duel::start(&CONTENDERS, &Cluster::start().await?, REPLICAS).await?;
        for (_, rig) in &rigs {
            fill(rig, rrs).await?;
        }
        stocks.push((rrs as f64, rigs));
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
