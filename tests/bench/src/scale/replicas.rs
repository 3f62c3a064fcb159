//! Cost over the number of replicas, on one machine.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::cluster::Cluster;

use super::CONTENDERS;
use crate::Depth;
use crate::data::Data;
use crate::rounds::{self, Case};

pub(super) const CASE: &str = "replicas, 10 signals of each of 50 incidents, 100 at a time";
pub(super) const X: &str = "replicas";
const SIGNALS: u64 = 500;

pub(super) async fn measure(data: &mut Data, depth: Depth) -> Result<()> {
    let (counts, rounds): (&[usize], _) = match depth {
        Depth::Quick => (&[1, 3], 2),
        Depth::Full => (&[1, 3, 5], 5),
    };
    let cluster = Cluster::start().await?;
    let mut sizes = Vec::new();
    for &replicas in counts {
        sizes.push((replicas as f64, rounds::start(&CONTENDERS, &cluster, replicas).await?));
    }
    let case = Case { name: CASE, at_once: 100, incidents: 50, hot: false, signals: Some(SIGNALS) };
    rounds::run_by_size(data, &sizes, &[case], rounds, Duration::ZERO).await
}
