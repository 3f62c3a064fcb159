//! The tables and bars.

use super::compare::{added, ratio};
use super::contender::{COMPARISONS, Comparison, Contender, FIRST_CALLS_BAR, LOOKUP_BAR};
use super::samples::{PERCENTILES, Samples};
use super::{API_CALLS, CASE, TIME, method};
use crate::bar::{Bar, BarCheck};
use crate::data::{At, Data};
use crate::figure::{Figure, digits};
use crate::page::Report;
use crate::table::Table;

/// The latency budget at each of [`PERCENTILES`], in milliseconds added to the bare writes.
const BUDGET_MS: [f64; 3] = [10.0, 20.0, 30.0];

/// Builds the report.
pub(crate) fn report(data: &Data) -> Report {
    let tables = vec![
        ("Milliseconds".to_owned(), times(data)),
        ("Times as long as the bare writes".to_owned(), compared(data, ratio)),
        ("Milliseconds added to the bare writes".to_owned(), compared(data, added)),
        ("The lookup of a pod's workload, beside the claim".to_owned(), lookup(data)),
    ];
    Report { method: method(), tables, charts: Vec::new(), bars: bars(data) }
}

fn at(contender: Contender) -> At<'static> {
    At { case: CASE, contender: contender.name(), x: 0.0 }
}

fn samples(data: &Data, contender: Contender) -> Samples {
    Samples::of(data.values(at(contender), TIME))
}

/// API calls for one signal; `None` of bare writes.
fn calls(data: &Data, contender: Contender) -> Option<Figure> {
    let samples = samples(data, contender);
    let per_round = samples.all().len() as f64 / samples.rounds() as f64;
    let calls = data.values(at(contender), API_CALLS).map(|(_, calls)| calls / per_round);
    Figure::of_all(calls.collect()).filter(|calls| calls.high > 0.0)
}

fn times(data: &Data) -> Table {
    let mut table = Table::new(["", "P50", "P95", "P99", "samples", "API calls"]);
    for contender in Contender::ALL {
        let all = samples(data, contender).all();
        let calls = calls(data, contender).map_or_else(|| "-".to_owned(), |calls| format!("{:.1}", calls.value));
        let percentiles = PERCENTILES.map(|share| digits(all.percentile(share)));
        let cells = [contender.name().to_owned()].into_iter().chain(percentiles);
        table.row(cells.chain([all.len().to_string(), calls]));
    }
    table
}

fn compared(data: &Data, figure: impl Fn(&Samples, &Samples, f64) -> Figure) -> Table {
    let mut table = Table::new(["", "P50", "P95", "P99"]);
    for Comparison { ours, bare, .. } in COMPARISONS {
        let (name, ours, bare) = (ours.name(), samples(data, ours), samples(data, bare));
        let figures = PERCENTILES.map(|share| figure(&ours, &bare, share).to_string());
        table.row([name.to_owned()].into_iter().chain(figures));
    }
    table
}

/// A first incident of a pod whose workload is verified, compared with one whose RR names the pod.
fn lookup(data: &Data) -> Table {
    let mut table = Table::new(["", "P50", "P95", "P99"]);
    let (ours, without) = (samples(data, Contender::Verified), samples(data, Contender::Named));
    for (name, figure) in [("times as long", ratio as fn(&Samples, &Samples, f64) -> Figure), ("ms added", added)] {
        let figures = PERCENTILES.map(|share| figure(&ours, &without, share).to_string());
        table.row([name.to_owned()].into_iter().chain(figures));
    }
    table
}

fn bars(data: &Data) -> Vec<BarCheck> {
    let mut bars = Vec::new();
    for Comparison { ours, bare, bar } in COMPARISONS {
        let (name, ours, bare) = (ours.name(), samples(data, ours), samples(data, bare));
        if let Some(bar) = bar {
            let what = format!("{name}: P50 over that of the bare writes");
            bars.push(BarCheck::new(what, Some(ratio(&ours, &bare, 0.5)), Bar::AtMost(bar)));
        }
        for (share, budget) in PERCENTILES.into_iter().zip(BUDGET_MS) {
            let what = format!("{name}: ms added at P{:.0}", share * 100.0);
            bars.push(BarCheck::new(what, Some(added(&ours, &bare, share)), Bar::AtMost(budget)));
        }
    }
    let (ours, without) = (samples(data, Contender::Verified), samples(data, Contender::Named));
    let what = "first incident of a pod: P50 with its workload verified over that without";
    bars.push(BarCheck::new(what, Some(ratio(&ours, &without, 0.5)), Bar::AtMost(LOOKUP_BAR)));
    let what = format!("{}: API calls", Contender::Named.name());
    bars.push(BarCheck::new(what, calls(data, Contender::Named), Bar::AtMost(FIRST_CALLS_BAR)));
    bars
}
