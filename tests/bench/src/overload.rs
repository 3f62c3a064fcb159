//! Goodput under overload: webhooks arrive faster than the replicas can count them, and are sent again until they are
//! acknowledged.

use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

use super::Depth;
use super::bar::{Bar, BarCheck};
use super::chart::{Chart, Series, Shape};
use super::contender::Contender;
use super::data::{At, Data};
use super::figure::{self, Figure, cell, count, digits};
use super::page::Report;
use super::progress::Progress;
use super::table::Table;

mod attempt;
mod capacity;
mod ledger;
mod open_loop;
mod probe;
mod round;
mod webhooks;

use self::round::Round;
use self::webhooks::{Size, Webhooks};

const REPLICAS: usize = 3;
/// All incidents have an RR before the first measurement.
const INCIDENTS: usize = 1024;
/// Attempts that are offered, as a factor of the capacity.
const FACTORS: [f64; 5] = [0.5, 1.0, 2.0, 5.0, 10.0];
const CASES: [Case; 4] = [
    Case { name: "single incidents", size: Size::Each(1), at_once: 100 },
    Case { name: "webhooks of 10 incidents", size: Size::Each(10), at_once: 20 },
    Case { name: "webhooks of 1,000 incidents", size: Size::Each(1000), at_once: 1 },
    Case { name: "of 100 webhooks 89 of 1 incident, 10 of 10, one of 1,000", size: Size::Mixed, at_once: 20 },
];

/// Webhooks per second in a closed loop.
const CAPACITY: &str = "capacity, webhooks/s";
/// Attempts per second, refused ones included, over the capacity.
const OFFERED: &str = "offered/capacity";
/// Signals per second in webhooks with a 2xx response.
const GOODPUT: &str = "goodput, signals/s";
/// The share of attempts without a 2xx response.
const REFUSED: &str = "refused/attempts";
/// Attempts without a response within the sender's timeout.
const SILENT: &str = "attempts without a response";
/// From an attempt to a response other than 2xx.
const REFUSAL: &str = "P99 ms to a refusal";
/// From an attempt to its 2xx response.
const LATENCY: &str = "P99 ms of an acknowledged attempt";
/// Signals in the RRs, over those in acknowledged webhooks.
const COUNTED: &str = "counted/acknowledged";
/// Incidents of which not acknowledged <= counted <= attempted.
const WRONG: &str = "incidents counted wrongly";
/// From the overload's end until the last webhook is acknowledged.
const DRAIN: &str = "seconds until all are acknowledged";
/// From then until signals alone take as long as before the overload.
const RECOVERY: &str = "seconds until latency is normal";
/// Times at which Envoy considered a replica unhealthy.
const EJECTED: &str = "replicas ejected";
/// Calls that the API server has answered.
const CALLS: &str = "API calls/s";
/// CPU time per second of what takes part.
const APISERVER: &str = "API server and etcd CPU, cores";
const SIDECARS: &str = "sidecar CPU, cores";
const ENVOY: &str = "Envoy CPU, cores";
const SENDER: &str = "sender CPU, cores";

const METRICS: [&str; 16] = [
    OFFERED, GOODPUT, REFUSED, SILENT, REFUSAL, LATENCY, COUNTED, WRONG, DRAIN, RECOVERY, EJECTED, CALLS, APISERVER,
    SIDECARS, ENVOY, SENDER,
];

/// A kind of webhooks.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    size: Size,
    /// Webhooks in flight while the capacity is measured.
    at_once: usize,
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: u32,
    capacity: Duration,
    overload: Duration,
    /// How many times as long is measured where webhooks have 1,000 incidents: one of them takes seconds.
    large: u32,
    /// Signals in webhooks that are not acknowledged, in seconds of the capacity; beyond them no new webhook begins.
    backlog: f64,
}

fn plan(depth: Depth) -> Plan {
    let seconds = Duration::from_secs;
    match depth {
        Depth::Quick => Plan { rounds: 1, capacity: seconds(4), overload: seconds(6), large: 4, backlog: 8.0 },
        Depth::Full => Plan { rounds: 3, capacity: seconds(10), overload: seconds(15), large: 3, backlog: 15.0 },
    }
}

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let (plan, contender) = (plan(depth), Contender::Onceway);
    let cluster = Cluster::start().await?;
    let rig = contender.start(&cluster, REPLICAS).await?;
    let incidents = Incident::several("prod", INCIDENTS);
    make_known(&rig, &incidents).await;
    let progress = Progress::new(CASES.len() * plan.rounds as usize * (FACTORS.len() + 1));
    let mut data = Data::default();
    let mut webhooks = Webhooks::about(&incidents);
    let fingerprints: Vec<_> = incidents.iter().map(Incident::fingerprint).collect();
    for round in 0..plan.rounds {
        for case in CASES {
            let mut this = Round { rig: &rig, incidents: &fingerprints, webhooks: &mut webhooks, case, plan };
            progress.doing(format_args!("{}, capacity", case.name));
            let capacity = this.capacity().await;
            ensure!(capacity > 0.0, "{}: no webhook was acknowledged while the capacity was measured", case.name);
            data.add(at(case.name, 0.0), round, [(CAPACITY, capacity)]);
            progress.step();
            for factor in FACTORS {
                progress.doing(format_args!("{}, {} times the capacity", case.name, digits(factor)));
                data.add(at(case.name, factor), round, this.overload(capacity, factor).await?);
                progress.step();
            }
        }
    }
    Ok(data)
}

/// Creates the RRs of all incidents, so that the overload creates none.
async fn make_known(rig: &Rig, incidents: &[Incident]) {
    rig.storm(incidents.to_vec()).signals(INCIDENTS as u64).run().await;
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let cases = data.names(|row| &row.case);
    let tables = cases.iter().map(|case| {
        let capacity = cell(data.figure(at(case, 0.0), CAPACITY));
        (format!("{case}; {CAPACITY}: {capacity}"), table(data, case))
    });
    Report { method: method(), tables: tables.collect(), charts: vec![chart(data, &cases)], bars: bars(data, &cases) }
}

fn table(data: &Data, case: &str) -> Table {
    let name = |factor: &f64| format!("{}x", digits(*factor));
    let mut table = Table::new(["offered, times the capacity".to_owned()].into_iter().chain(FACTORS.iter().map(name)));
    for metric in METRICS {
        let figures = FACTORS.iter().map(|factor| cell(data.figure(at(case, *factor), metric)));
        table.row([metric.to_owned()].into_iter().chain(figures));
    }
    table
}

fn bars(data: &Data, cases: &[String]) -> Vec<BarCheck> {
    let [.., most] = FACTORS;
    let mut bars = Vec::new();
    for case in cases {
        let rounds =
            |metric| FACTORS.iter().flat_map(move |x| data.values(at(case, *x), metric)).map(|(_, value)| value);
        let at_most = move |what: &str, figure, bar| BarCheck::new(format!("{case}: {what}"), figure, Bar::AtMost(bar));
        let kept = BarCheck::new(
            format!("{case}: goodput at {}x over its peak", count(most)),
            goodput_kept(data, case),
            Bar::AtLeast(0.85),
        );
        let every = |metric, bar| BarCheck::every_round(format!("{case}: {metric}"), rounds(metric).collect(), bar);
        bars.extend([
            kept,
            every(DRAIN, Bar::AtMost(60.0)),
            at_most(&format!("{REFUSAL}, at {}x", count(most)), data.figure(at(case, most), REFUSAL), 100.0),
            every(EJECTED, Bar::AtMost(0.0)),
            at_most(&format!("{COUNTED}, at {}x", count(most)), data.figure(at(case, most), COUNTED), 1.02),
            every(WRONG, Bar::AtMost(0.0)),
            every(RECOVERY, Bar::AtMost(5.0)),
        ]);
    }
    bars
}

/// The goodput at the largest factor, over the largest of all factors, round by round.
fn goodput_kept(data: &Data, case: &str) -> Option<Figure> {
    let [.., most] = FACTORS;
    let kept = data.values(at(case, most), GOODPUT).map(|(round, goodput)| {
        let of_round = |factor: &f64| data.values(at(case, *factor), GOODPUT).find(|(other, _)| *other == round);
        goodput / FACTORS.iter().filter_map(of_round).map(|(_, goodput)| goodput).fold(0.0, f64::max)
    });
    Figure::over(kept.collect())
}

fn chart(data: &Data, cases: &[String]) -> Chart {
    let points = |case| FACTORS.iter().filter_map(move |x| Some((*x, data.figure(at(case, *x), GOODPUT)?)));
    let series = cases.iter().map(|case| Series { label: case.clone(), points: points(case).collect() });
    Chart {
        name: "goodput",
        title: "Goodput under overload".into(),
        x: "offered, times the capacity",
        y: GOODPUT,
        shape: Shape::Lines,
        series: series.collect(),
    }
}

fn at(case: &str, factor: f64) -> At<'_> {
    At { case, contender: Contender::Onceway.name(), x: factor }
}

fn method() -> String {
    let (timeout, pause) = (attempt::TIMEOUT.as_secs(), open_loop::PAUSE.as_millis());
    format!(
        "An open loop behind one Envoy with two workers and {REPLICAS} replicas, all on one machine with the sender: attempts are sent at a fixed \
         rate, whatever comes\nback. Each is the webhook that has waited longest since it was refused, and at least {pause} ms, or else a new one; \
         so the rate includes the\nrepeats. A webhook is sent again, byte for byte and without regard to Retry-After, until it is acknowledged; a \
         real Alertmanager waits longer\nbefore each repeat. An attempt without a response is given up after {timeout} s. The signals in webhooks that are not \
         acknowledged are limited to a\nnumber of seconds of the capacity (8 with --quick, 15 with --full); beyond it no new webhook begins. Repeats \
         go to another of {} connections, and so perhaps to\nanother of Envoy's workers.\n\n\
         The capacity of each kind of webhooks is measured first, in a closed loop. Then each factor of it is offered for a fixed time (6 s \
         with --quick, 15 s with --full; with webhooks of 1,000 incidents 24 s and 45 s), and the\noverload ends: no new webhook begins, and those that are left are sent again at the rate of the capacity. \"{RECOVERY}\" \
         begins when the last one\nis acknowledged; latency is that of a single signal ten times a second, and normal if it is within twice its \
         P95 before the overload and\n10 ms. \"{GOODPUT}\" leaves out the first third of the overload. \"{EJECTED}\" counts the times at which \
         Envoy considered a replica\nunhealthy, four times a second; it has no other way to eject one.\n\n\
         All {INCIDENTS} incidents have an RR when the benchmark begins, and each webhook takes the next ones in turn: nothing is created. \
         \"{WRONG}\"\nare those of which not acknowledged <= counted <= attempted.\n{}",
        attempt::CONNECTIONS,
        figure::METHOD,
    )
}
