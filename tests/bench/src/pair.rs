//! Compares two contenders over the same storms.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::cluster::Cluster;

use super::Depth;
use super::audit::{self, COUNTED};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{self, cell};
use super::load::{
    self, API_CPU, CALLS, CONFLICTS, CPU, ENVOY_CPU, LATENCY, RATE, REFUSED, RRS, SIDECAR_CPU, WRITE_RATE, WRITES,
};
use super::page::Report;
use super::rounds::{self, Case};
use super::table::Table;

pub(super) const ONE: Case =
    Case { name: "one incident, 100 at a time", at_once: 100, incidents: 1, hot: false, signals: None };
pub(super) const FIFTY: Case =
    Case { name: "50 incidents, 100 at a time", at_once: 100, incidents: 50, hot: false, signals: None };
pub(super) const FIVE_HUNDRED: Case = Case {
    name: "half of it one incident, half 50 others, 500 at a time",
    at_once: 500,
    incidents: 50,
    hot: true,
    signals: None,
};

const REPLICAS: usize = 3;
const METRICS: [&str; 15] = [
    RATE,
    LATENCY[0],
    LATENCY[1],
    LATENCY[2],
    CALLS,
    WRITES,
    WRITE_RATE,
    CONFLICTS,
    REFUSED,
    RRS,
    COUNTED,
    CPU,
    SIDECAR_CPU,
    ENVOY_CPU,
    API_CPU,
];

/// Two contenders and the storms that both get.
pub(super) struct Pair {
    pub(super) ours: Contender,
    pub(super) theirs: Contender,
    pub(super) cases: &'static [Case],
}

impl Pair {
    /// Measures both.
    ///
    /// # Errors
    /// If a component cannot be fetched, built or started, or its process has exited.
    pub(super) async fn measure(&self, depth: Depth) -> Result<Data> {
        let cluster = Cluster::start().await?;
        let rigs = rounds::start(&[self.ours, self.theirs], &cluster, REPLICAS).await?;
        let (rounds, time) = match depth {
            Depth::Quick => (3, Duration::from_secs(3)),
            Depth::Full => (7, Duration::from_secs(5)),
        };
        let mut data = Data::default();
        rounds::run(&mut data, rigs, self.cases, rounds, time).await?;
        Ok(data)
    }

    /// Builds the report; `how` says where the storms are sent.
    pub(super) fn report(&self, data: &Data, how: &str) -> Report {
        let (mut tables, mut bars) = (Vec::new(), Vec::new());
        for case in self.cases {
            let at = |contender: Contender| At { case: case.name, contender: contender.name(), x: 0.0 };
            let pair = [self.ours, self.theirs].map(at);
            tables.push((case.name.to_owned(), table(data, pair)));
            for (contender, at) in [self.ours, self.theirs].into_iter().zip(pair) {
                let what = format!("{}, {}", case.name, at.contender);
                if case.incidents == 1 {
                    let writers = if contender == Contender::Sprayed { REPLICAS } else { 1 };
                    bars.push(load::write_bar(data, at, &what, writers));
                }
                bars.extend(audit::bars(data, &[at], &what));
            }
        }
        Report { method: method(how), tables, charts: Vec::new(), bars }
    }
}

fn table(data: &Data, [ours, theirs]: [At<'_>; 2]) -> Table {
    let mut table = Table::new(["", ours.contender, theirs.contender, "second over first"]);
    for metric in METRICS {
        let figure = |at| cell(data.figure(at, metric));
        let ratio = data.ratio(theirs, ours, metric).filter(|ratio| ratio.value.is_finite());
        let noise =
            if ratio.is_some_and(|ratio| ratio.contains_one() && ratio.low < ratio.high) { ": noise" } else { "" };
        let ratio = cell(ratio) + noise;
        table.row([metric.to_owned(), figure(ours), figure(theirs), ratio]);
    }
    table
}

fn method(how: &str) -> String {
    format!(
        "The same storms in a closed loop {how}:\n{REPLICAS} replicas each, one API server, in turns within each round. A ratio \
         whose interval contains 1 is marked as noise.\n{}",
        figure::METHOD
    )
}
