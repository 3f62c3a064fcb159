//! What affinity buys: the same storms with every signal at its owner, and at any replica.

use std::time::Duration;

use anyhow::Result;

use super::Depth;
use super::bar::{Bar, Judged};
use super::contender::Contender;
use super::data::{At, Data};
use super::duel::{self, Case};
use super::load::{CALLS, CONFLICTS, COUNTED, COUNTS, CPU, LATENCY, RATE, REFUSED, RRS, SIDECAR_CPU, WRITES};
use super::page::Report;
use super::table::Table;
use crate::cluster::Cluster;

const CONTENDERS: [Contender; 2] = [Contender::Onceway, Contender::Sprayed];
const REPLICAS: usize = 3;
const ONE: Case = Case { name: "one incident, 100 at a time", at_once: 100, incidents: 1, hot: false };
const SOME: Case = Case { name: "50 incidents, 100 at a time", at_once: 100, incidents: 50, hot: false };

/// Measures.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let cluster = Cluster::start().await?;
    let mut rigs = Vec::new();
    for contender in CONTENDERS {
        rigs.push((contender, contender.start(&cluster, REPLICAS).await?));
    }
    let (rounds, time) = match depth {
        Depth::Quick => (3, Duration::from_secs(3)),
        Depth::Full => (7, Duration::from_secs(6)),
    };
    let mut data = Data::default();
    duel::run(&mut data, &rigs, &[ONE, SOME], 0.0, rounds, time).await?;
    Ok(data)
}

/// Draws conclusions.
pub(super) fn report(data: &Data) -> Report {
    let names = CONTENDERS.map(Contender::name);
    let mut tables = Vec::new();
    let mut bars = Vec::new();
    for case in [ONE.name, SOME.name] {
        let mut table = Table::new([case, names[0], names[1], "ratio"]);
        let [hashed, sprayed] = names.map(|contender| At { case, contender, x: 0.0 });
        let costs = [CALLS, WRITES, COUNTS, CONFLICTS, REFUSED, RRS, COUNTED, CPU, SIDECAR_CPU];
        for metric in [RATE].into_iter().chain(LATENCY).chain(costs) {
            let figure = |at| data.figure(at, metric).map_or_else(|| "-".to_owned(), |figure| figure.to_string());
            table.row([metric.to_owned(), figure(hashed), figure(sprayed), ratio(data, sprayed, hashed, metric)]);
        }
        tables.push((case.to_owned(), table));
        for at in [hashed, sprayed] {
            let what = |metric| format!("{case}, {}: {metric}", at.contender);
            bars.push(Judged::new(what(RRS), data.figure(at, RRS), Bar::AtMost(1.0)));
            bars.push(Judged::new(what(COUNTED), data.figure(at, COUNTED), Bar::AtLeast(1.0)));
        }
    }
    Report { method: method(), tables, charts: Vec::new(), bars }
}

/// The second over the first, unless noise drowns it.
fn ratio(data: &Data, ours: At<'_>, theirs: At<'_>, metric: &str) -> String {
    match data.ratio(ours, theirs, metric).filter(|ratio| ratio.value.is_finite()) {
        Some(ratio) if ratio.is_drowned() => format!("{ratio}: noise"),
        Some(ratio) => ratio.to_string(),
        None => "-".to_owned(),
    }
}

fn method() -> String {
    format!(
        "The same storms in a closed loop through Envoy with the filter and the hash that ship, and with the filter but \
         replicas at random,\n{REPLICAS} replicas each, one API server, in turn. A figure is the median of the rounds [least, \
         greatest]; a ratio (random over hashed) that of\nthe rounds' ratios, and \"noise\" where it may as well be 1."
    )
}
