//! Cost over the size of the storm: signals of one incident, all at once, each retried until it is acknowledged.

use anyhow::Result;
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;

use super::CONTENDERS;
use crate::Depth;
use crate::contender::Contender;
use crate::data::{At, Data};
use crate::load::{Amount, Load};
use crate::rounds::{self, Turn};
use crate::turns::turns;

pub(super) const CASE: &str = "a storm of one incident, all at once";
pub(super) const X: &str = "signals at once";
const REPLICAS: usize = 3;
/// The largest storm for the baseline, which takes minutes for it.
const MAX_OF_BASELINE: u64 = 1000;

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
    let rigs = rounds::start(&CONTENDERS, &cluster, REPLICAS).await?;
    let turn = |contender: usize, size: usize, round: u32| {
        let (size, (contender, rig)) = (sizes[size], &rigs[contender]);
        let max = match (contender, depth) {
            (Contender::Onceway, _) => u64::MAX,
            (_, Depth::Quick) => MAX_OF_BASELINE / 10,
            (_, Depth::Full) => MAX_OF_BASELINE,
        };
        // Small storms warm up as well as large ones.
        if size > max || round == 0 && size > 100 {
            return None;
        }
        let at = At { case: CASE, contender: contender.name(), x: size as f64 };
        let incidents = vec![Incident::new("prod", &format!("burst-{size}-{round}"))];
        let at_once = usize::try_from(size).unwrap_or(usize::MAX);
        Some(Turn { at, rig, load: Load { incidents, at_once, amount: Amount::Signals(size) } })
    };
    let turns_of = |round| {
        let order = turns(rigs.len(), sizes.len(), round).into_iter();
        order.filter_map(|(contender, size)| turn(contender, size, round)).collect()
    };
    rounds::run_rounds(data, rounds, turns_of).await
}
