//! The tables of `docs/scale.md`, each in a place that the page marks.

use anyhow::{Context, Result};

use crate::cluster::{Cluster, Installation};
use crate::cost;
use crate::demand::{Demand, Load};
use crate::simulation::{Burst, simulate};
use crate::table::{bytes, number, table};

/// New incidents in a second.
const RATES: [u32; 3] = [10, 100, 1_000];
/// How long the bursts without budgets last, in seconds.
const BURST_S: u32 = 60;

/// Each table by the name that marks its place.
pub fn tables() -> [(&'static str, String); 5] {
    [
        ("costs", costs()),
        ("steady", steady()),
        ("limits", limits()),
        ("bursts with budgets", bursts(|rate, installation| (rate * BURST_S).min(installation.admitted_in_a_minute()))),
        ("bursts without budgets", bursts(|rate, _| rate * BURST_S)),
    ]
}

/// The page with each table in its place: between `<!-- NAME -->` and `<!-- end -->`.
///
/// # Errors
/// If the page has no place for a table.
pub fn fill(page: &str) -> Result<String> {
    tables().into_iter().try_fold(page.to_owned(), |page, (name, table)| {
        let mark = format!("<!-- {name} -->\n");
        let (before, rest) = page.split_once(&mark).with_context(|| format!("the page has no {}", mark.trim()))?;
        let (_, after) = rest.split_once("<!-- end -->").with_context(|| format!("no end of the table {name}"))?;
        Ok(format!("{before}{mark}\n{table}\n<!-- end -->{after}"))
    })
}

fn costs() -> String {
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    let rows = [
        row("writes of a new incident (Lease, RR, count)", cost::FIRST_WRITES.to_string()),
        row("reads of a new incident (its workload, here a Deployment)", cost::WORKLOAD_READS.to_string()),
        row("writes of each later count, of all signals that came meanwhile", "1".to_owned()),
        row("Lease in etcd", bytes(cost::LEASE.into())),
        row("RR in etcd before its first count", bytes(cost::RR_CREATED.into())),
        row("RR in etcd with its count", bytes(cost::RR_COUNTED.into())),
        row("etcd writes for a new incident", bytes(cost::first_bytes().into())),
        row("watch event of an RR", bytes((cost::RR_COUNTED + cost::EVENT_FRAME).into())),
        row("CPU of a write, API server and etcd", format!("{} ms", cost::WRITE_CPU_US / 1_000)),
        row("etcd's disk for a write (assumed)", format!("{} ms", cost::WRITE_DISK_US / 1_000)),
    ];
    table(&["cost", "at most"], &rows)
}

/// A row's name, and its cell at a rate.
type Figure<'a> = (&'a str, &'a dyn Fn(&Demand) -> String);

/// A column for each rate, a row for each figure.
fn by_rate(first: &str, figures: &[Figure<'_>]) -> String {
    let demands = RATES.map(|rate| Demand::of(&Load::at(rate), &Installation::default(), &Cluster::default()));
    let head = [first.to_owned()].into_iter().chain(RATES.map(|rate| format!("{}/s", number(rate.into()))));
    let head: Vec<String> = head.collect();
    let rows = figures.iter().map(|(what, figure)| {
        let cells = demands.iter().map(figure);
        [(*what).to_owned()].into_iter().chain(cells).collect()
    });
    table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows.collect::<Vec<_>>())
}

fn steady() -> String {
    by_rate(
        "new incidents",
        &[
            ("writes per second", &|demand| number(demand.writes as f64)),
            ("reads per second", &|demand| number(demand.reads as f64)),
            ("cores of API server and etcd", &|demand| number(demand.cores)),
            ("seats in use on average", &|demand| number(demand.seats)),
            ("etcd: bytes written per second", &|demand| bytes(demand.etcd_bytes)),
            ("etcd: bytes of old revisions", &|demand| bytes(demand.revision_bytes)),
            ("etcd: bytes at rest", &|demand| bytes(demand.bytes_at_rest)),
            ("Leases at rest", &|demand| number(demand.leases as f64)),
            ("active incidents", &|demand| number(demand.active as f64)),
            ("one watch: bytes per second", &|demand| bytes(demand.watch_bytes)),
            ("all watches: bytes per second", &|demand| bytes(demand.all_watch_bytes)),
        ],
    )
}

fn limits() -> String {
    let limits = Demand::limits(&Load::at(1), &Installation::default(), &Cluster::default());
    let rows: Vec<Vec<String>> = limits.into_iter().map(|(limit, rate)| vec![limit.to_owned(), number(rate)]).collect();
    table(&["limit", "new incidents per second"], &rows)
}

/// A burst at each rate, of as many incidents as `admitted` says.
fn bursts(admitted: impl Fn(u32, &Installation) -> u32) -> String {
    let (installation, cluster) = (Installation::default(), Cluster::default());
    let rows = RATES.map(|incidents_per_s| {
        let incidents = admitted(incidents_per_s, &installation);
        let outcome = simulate(&Burst { incidents_per_s, incidents }, &installation, &cluster);
        let sent = incidents_per_s * BURST_S;
        vec![
            format!("{}/s", number(incidents_per_s.into())),
            number(sent.into()),
            number(incidents.into()),
            number(outcome.done.into()),
            number(outcome.p50_ms.into()),
            number(outcome.p99_ms.into()),
            outcome.seats.to_string(),
            outcome.waiting.to_string(),
        ]
    });
    let head =
        ["new incidents", "sent in 60 s", "begun", "counted in 8 s", "P50 ms", "P99 ms", "most seats", "most waiting"];
    table(&head, &rows)
}

#[cfg(test)]
mod tests {
    use super::fill;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");

    #[test]
    fn the_tables_of_the_page_are_those_that_are_computed() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        assert!(page == fill(&page).unwrap(), "docs/scale.md is stale; run: cargo xtask scale --write");
    }

    #[test]
    fn a_page_without_a_place_for_a_table_is_an_error() {
        assert!(fill("# Scale\n").is_err());
    }
}
