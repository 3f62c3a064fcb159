//! As the storm grows: so many signals of one incident, all at once, each sent until it is acknowledged.

use anyhow::{Context, Result};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;

use super::CONTENDERS;
use crate::Depth;
use crate::contender::Contender;
use crate::data::{At, Data};
use crate::duel;
use crate::load::{Amount, Load, measure as storm};
use crate::progress::Progress;
use crate::turns::turns;

pub(super) const CASE: &str = "a storm of one incident, all at once";
pub(super) const X: &str = "signals at once";
const REPLICAS: usize = 3;
/// The largest storm that the baseline is given: it takes it minutes.
const MOST_OF_BASELINE: u64 = 1000;

/// Sizes and rounds.
fn plan(depth: Depth) -> (&'static [u64], u32) {
    match depth {
        Depth::Quick => (&[1, 10, 100, 1000], 2),
        Depth::Full => (&[1, 10, 100, 1000, 3000, 10_000], 5),
    }
}

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    let cluster = Cluster::start().await?;
    let (sizes, rounds) = plan(depth);
    let progress = Progress::new(sizes.len() * CONTENDERS.len() * (rounds as usize + 1));
    let rigs = duel::start(&CONTENDERS, &cluster, REPLICAS).await?;
    for round in 0..=rounds {
        for (contender, size) in turns(rigs.len(), sizes.len(), round) {
            let (size, (contender, rig)) = (sizes[size], &rigs[contender]);
            progress.step();
            let most = match (contender, depth) {
                (Contender::Onceway, _) => u64::MAX,
                (_, Depth::Quick) => MOST_OF_BASELINE / 10,
                (_, Depth::Full) => MOST_OF_BASELINE,
            };
            // The first round only warms, which small storms do as well.
            if size > most || round == 0 && size > 100 {
                continue;
            }
            progress.doing(format_args!("{CASE}: {size}, {}, round {round} of {rounds}", contender.name()));
            let incidents = vec![Incident::new("prod", &format!("burst-{size}-{round}"))];
            let load = Load { incidents, at_once: usize::try_from(size)?, amount: Amount::Signals(size) };
            let values = storm(rig, load).await.with_context(|| format!("{size}, {}", contender.name()))?;
            if let Some(round) = round.checked_sub(1) {
                data.add(At { case: CASE, contender: contender.name(), x: size as f64 }, round, values);
            }
        }
    }
    Ok(())
}
