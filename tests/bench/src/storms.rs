//! The same storms against Onceway and against the per-signal algorithm.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::cluster::Cluster;

use super::Depth;
use super::audit::{self, COUNTED};
use super::bar::{Bar, BarCheck};
use super::chart::{Chart, Series, Shape};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{self, cell};
use super::load::{
    self, CALLS, CONFLICTS, CPU, ELAPSED, LATENCY, RATE, REFUSED, RRS, SENDER_CPU, SIDECAR_CPU, WRITE_RATE, WRITES,
};
use super::page::Report;
use super::rounds::{self, Case};
use super::table::Table;

const CONTENDERS: [Contender; 3] = [Contender::Onceway, Contender::PerSignal, Contender::PerSignalLocked];
const REPLICAS: usize = 3;
const ONE_OF_100: &str = "one incident, 100 at a time";
const ONE_OF_1000: &str = "one incident, 1,000 at a time";
const MANY: &str = "1,000 incidents, 100 at a time";
const MIX: &str = "half of it one incident, half 200 others, 100 at a time";

/// The metrics shown for each storm, besides rate and latency.
const COSTS: [&str; 10] = [CALLS, WRITES, WRITE_RATE, CONFLICTS, REFUSED, RRS, COUNTED, CPU, SIDECAR_CPU, ELAPSED];

fn cases(depth: Depth) -> Vec<Case> {
    let one = |name, at_once| Case { name, at_once, incidents: 1, hot: false, signals: None };
    let mix = Case { name: MIX, at_once: 100, incidents: 200, hot: true, signals: Some(400) };
    let many = Case { name: MANY, at_once: 100, incidents: 1000, hot: false, signals: Some(2000) };
    let few = [one(ONE_OF_100, 100), mix];
    let more = [one(ONE_OF_1000, 1000), many];
    match depth {
        Depth::Quick => few.into(),
        Depth::Full => few.into_iter().chain(more).collect(),
    }
}

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let cluster = Cluster::start().await?;
    let rigs = rounds::start(&CONTENDERS, &cluster, REPLICAS).await?;
    let (rounds, time) = match depth {
        Depth::Quick => (3, Duration::from_secs(3)),
        Depth::Full => (5, Duration::from_secs(6)),
    };
    let mut data = Data::default();
    rounds::run(&mut data, rigs, &cases(depth), rounds, time).await?;
    Ok(data)
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let cases = data.names(|row| &row.case);
    let names = CONTENDERS.map(Contender::name);
    let mut tables = Vec::new();
    for case in &cases {
        let mut table = Table::new([case.as_str()].into_iter().chain(names));
        for metric in [RATE].into_iter().chain(LATENCY).chain(COSTS).chain([SENDER_CPU]) {
            let figures = names.map(|name| cell(data.figure(at(case, name), metric)));
            table.row([metric.to_owned()].into_iter().chain(figures));
        }
        tables.push((case.clone(), table));
    }
    tables.push(("Rate relative to the per-signal algorithm".into(), speedups(data, &cases)));
    Report { method: method(), tables, charts: vec![chart(data, &cases)], bars: bars(data) }
}

fn speedups(data: &Data, cases: &[String]) -> Table {
    let others = [Contender::PerSignal, Contender::PerSignalLocked].map(Contender::name);
    let mut table = Table::new(["storm"].into_iter().chain(others));
    for case in cases {
        let speedup = |other| cell(data.ratio(ours(case), ours(case).of(other), RATE));
        table.row([case.clone()].into_iter().chain(others.map(speedup)));
    }
    table
}

fn bars(data: &Data) -> Vec<BarCheck> {
    let one = ours(ONE_OF_100);
    let mut bars = vec![
        speedup_bar(data, ONE_OF_100, 50.0),
        BarCheck::new(format!("{ONE_OF_100}: {}", LATENCY[2]), data.figure(one, LATENCY[2]), Bar::AtMost(60.0)),
    ];
    let cases = data.names(|row| &row.case);
    let storms: Vec<_> = cases.iter().map(|case| ours(case)).collect();
    for storm in storms.iter().filter(|storm| [ONE_OF_100, ONE_OF_1000].contains(&storm.case)) {
        bars.push(load::write_bar(data, *storm, storm.case, 1));
    }
    bars.extend(several_incidents(data, &cases));
    bars.extend(audit::bars(data, &storms, "each storm"));
    bars
}

/// The bars of storms of several incidents, of those that were measured.
fn several_incidents(data: &Data, cases: &[String]) -> Vec<BarCheck> {
    let calls = BarCheck::new(format!("{MANY}: {CALLS}"), data.figure(ours(MANY), CALLS), Bar::AtMost(2.1));
    let bars = [(MIX, speedup_bar(data, MIX, 9.0)), (MANY, speedup_bar(data, MANY, 1.7)), (MANY, calls)];
    bars.into_iter().filter(|(case, _)| cases.iter().any(|seen| seen == case)).map(|(_, bar)| bar).collect()
}

/// Onceway's rate over that of the per-signal algorithm.
fn speedup_bar(data: &Data, case: &str, at_least: f64) -> BarCheck {
    let ratio = data.ratio(ours(case), ours(case).of(Contender::PerSignal.name()), RATE);
    BarCheck::new(format!("{case}: times the baseline's rate"), ratio, Bar::AtLeast(at_least))
}

fn chart(data: &Data, cases: &[String]) -> Chart {
    let series = CONTENDERS.map(|contender| Series {
        label: contender.name().into(),
        points: rounds::points(cases.iter().map(move |case| data.figure(at(case, contender.name()), RATE))),
    });
    let groups = cases
        .iter()
        .map(|case| case.replace(" at a time", "").replace("half of it one incident, half 200 others", "mix"));
    Chart {
        name: "rate",
        title: "Acknowledged and counted signals".into(),
        x: "",
        y: "signals per second",
        shape: Shape::Bars(groups.collect()),
        series: series.into(),
    }
}

fn ours(case: &str) -> At<'_> {
    at(case, Contender::Onceway.name())
}

fn at<'a>(case: &'a str, contender: &'a str) -> At<'a> {
    At { case, contender, x: 0.0 }
}

fn method() -> String {
    format!(
        "Storms in a closed loop: each sender sends its next signal when the response to the previous one arrives. Each contender \
         has {REPLICAS} replicas\nbehind its own Envoy; all share one API server. Each storm uses incidents that no contender has \
         seen before, and starts when the API\nserver is idle. In each round every contender runs every storm in turn. A storm \
         of one incident lasts a fixed time without retries; signals\nin flight at its end do not count in the rate. Other \
         storms have a fixed number of signals, each retried until it is acknowledged, so that\nall contenders do the same \
         work. Latency is that of acknowledged signals.\n{}\n\n\
         \"{}\" is the algorithm of comparable gateways (the benchmarks' module `baseline`) behind the same HTTP server, decoder \
         and client library,\nwith random replicas and the lock held by the replica, as in those gateways. \"{}\" is the same \
         with a lock that excludes all other\nsignals. \"{}\" excludes signals that are acknowledged but not counted, and \
         signals that are counted but not\nacknowledged.",
        figure::METHOD,
        Contender::PerSignal.name(),
        Contender::PerSignalLocked.name(),
        load::RATE,
    )
}
