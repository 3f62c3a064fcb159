//! Cost over the size of the storm, the number of RRs in the namespace, and the number of replicas.

use anyhow::Result;

use super::Depth;
use super::audit::{self, COUNTED};
use super::bar::{Bar, BarCheck};
use super::chart::{Chart, Series, Shape};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{self, count};
use super::load::{self, CALLS, CPU, LATENCY, RATE, REFUSED, RRS};
use super::page::Report;
use super::table::growth;

mod burst;
mod existing_rrs;
mod replicas;

/// The smallest storm, in signals at once, that lasts long enough to measure an incident's writes per second.
const LARGE: f64 = 1000.0;

const CONTENDERS: [Contender; 2] = [Contender::Onceway, Contender::PerSignal];

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let mut data = Data::default();
    burst::measure(&mut data, depth).await?;
    existing_rrs::measure(&mut data, depth).await?;
    replicas::measure(&mut data, depth).await?;
    Ok(data)
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let mut tables = Vec::new();
    for (case, x, metrics) in [
        (burst::CASE, burst::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, REFUSED, COUNTED]),
        (existing_rrs::CASE, existing_rrs::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, REFUSED, RRS]),
        (replicas::CASE, replicas::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, REFUSED, RRS]),
    ] {
        for contender in CONTENDERS {
            tables.push((
                format!("{case}: {}", contender.name()),
                growth(data, At { case, contender: contender.name(), x: 0.0 }, x, &metrics),
            ));
        }
    }
    Report { method: format!("{METHOD}\n{}", figure::METHOD), tables, charts: charts(data), bars: bars(data) }
}

fn charts(data: &Data) -> Vec<Chart> {
    let chart = |name, case, x, metric| chart(data, name, case, x, metric);
    vec![
        chart("burst-latency", burst::CASE, burst::X, LATENCY[2]),
        chart("burst-calls", burst::CASE, burst::X, CALLS),
        chart("burst-rate", burst::CASE, burst::X, RATE),
        chart("stock-rate", existing_rrs::CASE, existing_rrs::X, RATE),
        chart("stock-cpu", existing_rrs::CASE, existing_rrs::X, CPU),
        chart("stock-latency", existing_rrs::CASE, existing_rrs::X, LATENCY[0]),
        chart("replicas-rate", replicas::CASE, replicas::X, RATE),
    ]
}

fn chart(data: &Data, name: &'static str, case: &'static str, x: &'static str, metric: &'static str) -> Chart {
    let series = CONTENDERS.iter().filter_map(|contender| {
        let points = data.line(At { case, contender: contender.name(), x: 0.0 }, metric);
        (!points.is_empty()).then(|| Series { label: contender.name().into(), points })
    });
    Chart { name, title: format!("{case}: {metric}"), x, y: metric, shape: Shape::Lines, series: series.collect() }
}

fn bars(data: &Data) -> Vec<BarCheck> {
    let mut bars = Vec::new();
    let ours = |case, x| At { case, contender: Contender::Onceway.name(), x };
    if let [few, .., many] = data.xs(existing_rrs::CASE)[..] {
        let growth = |metric| data.ratio(ours(existing_rrs::CASE, many), ours(existing_rrs::CASE, few), metric);
        let between = format!("{} RRs over {few}", count(many));
        for metric in [CPU, LATENCY[0], CALLS] {
            bars.push(BarCheck::new(format!("{between}: {metric}"), growth(metric), Bar::AtMost(1.1)));
        }
    }
    for x in data.xs(burst::CASE).into_iter().filter(|x| *x >= LARGE) {
        bars.push(load::write_bar(data, ours(burst::CASE, x), &format!("{} {}", count(x), burst::X), 1));
    }
    for case in [burst::CASE, existing_rrs::CASE, replicas::CASE] {
        let storms: Vec<_> = data.xs(case).into_iter().map(|x| ours(case, x)).collect();
        bars.extend(audit::bars(data, &storms, case));
    }
    bars
}

const METHOD: &str = "\
Each storm uses incidents that no contender has seen before, and each contender has its own Envoy. RRs in the namespace: in each
round each contender runs all numbers of RRs in turn; storms last 1.5 s, for the baseline 3 s. All other storms have a fixed number
of signals, each retried until it is acknowledged, so that its latency includes the pauses between attempts; contenders run in turn
within each round. The baseline gets at most 1,000 signals at once (100 with --quick), which take it minutes.";
