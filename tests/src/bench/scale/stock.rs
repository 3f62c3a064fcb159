//! As RRs gather in the namespace. Each number of them has a cluster of its own, so that they can take turns.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::CONTENDERS;
use crate::bench::Depth;
use crate::bench::contender::Contender;
use crate::bench::data::{At, Data};
use crate::bench::load::{Amount, Load, measure as storm};
use crate::bench::progress::Progress;
use crate::cluster::Cluster;
use crate::payload::Incident;
use crate::rig::Rig;

pub(super) const CASE: &str = "RRs in the namespace, one incident, 100 at a time";
pub(super) const X: &str = "RRs";
const REPLICAS: usize = 3;
const AT_ONCE: usize = 100;
/// RRs that are created at a time.
const CREATES: usize = 32;

/// A cluster with so many RRs in each contender's namespace.
struct Stock {
    rrs: usize,
    rigs: Vec<(Contender, Rig)>,
}

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    let (sizes, rounds, time): (&[usize], u32, _) = match depth {
        Depth::Quick => (&[100, 3000], 3, Duration::from_secs(3)),
        Depth::Full => (&[100, 1000, 5000, 20_000], 4, Duration::from_secs(4)),
    };
    let progress = Progress::new(sizes.len() * CONTENDERS.len() * (rounds as usize + 2));
    let mut stocks = Vec::new();
    for &rrs in sizes {
        stocks.push(start(rrs, &progress).await?);
    }
    for round in 0..=rounds {
        for place in 0..stocks.len() {
            // Who was first is last in the next round.
            let Stock { rrs, rigs } = &stocks[(place + round as usize) % stocks.len()];
            for (contender, rig) in rigs {
                progress.doing(format_args!("{rrs} RRs, {}, round {round} of {rounds}", contender.name()));
                let incidents = vec![Incident::new("prod", &format!("one-{round}"))];
                let amount = Amount::For(if round == 0 { time / 4 } else { time });
                let load = Load { incidents, at_once: AT_ONCE, amount };
                let values = storm(rig, load).await.with_context(|| format!("{rrs} RRs, {}", contender.name()))?;
                if let Some(round) = round.checked_sub(1) {
                    data.add(At { case: CASE, contender: contender.name(), x: *rrs as f64 }, round, values);
                }
                progress.step();
            }
        }
    }
    Ok(())
}

async fn start(rrs: usize, progress: &Progress) -> Result<Stock> {
    let cluster = Cluster::start().await?;
    let mut rigs = Vec::new();
    for contender in CONTENDERS {
        progress.doing(format_args!("creating {rrs} RRs for {}", contender.name()));
        rigs.push((contender, stocked(contender, &cluster, rrs).await?));
        progress.step();
    }
    Ok(Stock { rrs, rigs })
}

async fn stocked(contender: Contender, cluster: &Arc<Cluster>, rrs: usize) -> Result<Rig> {
    let rig = contender.start(cluster, REPLICAS).await?;
    let create = |n: usize| {
        let (rig, incident) = (&rig, Incident::new("stock", &format!("service-{n}")));
        async move { rig.create_foreign(&incident, &format!("stock-{n}")).await.map(drop) }
    };
    stream::iter((0..rrs).map(create)).buffer_unordered(CREATES).try_collect::<Vec<()>>().await?;
    Ok(rig)
}
