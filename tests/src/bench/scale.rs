//! How costs grow: with the storm, with the RRs of the namespace, with the replicas.

use anyhow::Result;

use super::Depth;
use super::bar::{Bar, Judged};
use super::chart::{Chart, Series, Shape};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::digits;
use super::load::{CALLS, COUNTED, COUNTS, CPU, LATENCY, RATE, RRS};
use super::page::Report;
use super::table::growth;

mod burst;
mod replicas;
mod stock;

const CONTENDERS: [Contender; 2] = [Contender::Onceway, Contender::PerSignal];

/// Measures one after the other.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let mut data = Data::default();
    burst::measure(&mut data, depth).await?;
    stock::measure(&mut data, depth).await?;
    replicas::measure(&mut data, depth).await?;
    Ok(data)
}

/// Draws conclusions.
pub(super) fn report(data: &Data) -> Report {
    let mut tables = Vec::new();
    for (case, x, metrics) in [
        (burst::CASE, burst::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, COUNTED]),
        (stock::CASE, stock::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, RRS]),
        (replicas::CASE, replicas::X, [RATE, LATENCY[0], LATENCY[2], CALLS, CPU, COUNTED]),
    ] {
        for contender in CONTENDERS {
            tables.push((
                format!("{case}: {}", contender.name()),
                growth(data, At { case, contender: contender.name(), x: 0.0 }, x, &metrics),
            ));
        }
    }
    Report { method: METHOD.into(), tables, charts: charts(data), bars: bars(data) }
}

fn charts(data: &Data) -> Vec<Chart> {
    let chart = |name, case, x, metric| chart(data, name, case, x, metric);
    vec![
        chart("burst-latency", burst::CASE, burst::X, LATENCY[2]),
        chart("burst-calls", burst::CASE, burst::X, CALLS),
        chart("burst-rate", burst::CASE, burst::X, RATE),
        chart("stock-rate", stock::CASE, stock::X, RATE),
        chart("stock-cpu", stock::CASE, stock::X, CPU),
        chart("stock-latency", stock::CASE, stock::X, LATENCY[0]),
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

fn bars(data: &Data) -> Vec<Judged> {
    let mut bars = Vec::new();
    let ours = |case, x| At { case, contender: Contender::Onceway.name(), x };
    if let [few, .., many] = data.xs(stock::CASE)[..] {
        let grown = |metric| data.ratio(ours(stock::CASE, many), ours(stock::CASE, few), metric);
        let between = format!("{} RRs over {few}", digits(many));
        for metric in [CPU, LATENCY[0], CALLS] {
            bars.push(Judged::new(format!("{between}: {metric}"), grown(metric), Bar::AtMost(1.1)));
        }
    }
    for x in data.xs(burst::CASE) {
        for (metric, bar) in [(RRS, Bar::AtMost(1.0)), (COUNTED, Bar::AtLeast(1.0))] {
            let what = format!("{} at once: {metric}", digits(x));
            bars.push(Judged::new(what, data.figure(ours(burst::CASE, x), metric), bar));
        }
    }
    for x in data.xs(burst::CASE).into_iter().filter(|x| *x >= 1000.0) {
        let what = format!("{} at once: {COUNTS}", digits(x));
        bars.push(Judged::new(what, data.figure(ours(burst::CASE, x), COUNTS), Bar::AtMost(50.0)));
    }
    bars
}

const METHOD: &str = "\
Each storm is of incidents that nobody has seen before, through an Envoy of each contender's own. Contenders, and where that is
possible what is varied too, have their turns within each round. A figure is the median of the rounds [least, greatest]; a ratio
is that of the rounds' ratios.";
