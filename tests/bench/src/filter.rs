//! The cost of the filter in one Envoy worker: the same Envoy with and without it, with the same core as a native extension, and
//! the same work done without a proxy.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use self::case::Case;
use self::contender::{Contender, IDLE, MODULE, WITH, WITH_RULES, WITHOUT, user_rules};
use self::load::{BUSY, CPU, Load, RATE, RATE_OF_A_CORE, WAITING};
use super::Depth;
use super::bar::{Bar, BarCheck};
use super::chart::{Chart, Series, Shape};
use super::data::{At, Data};
use super::figure::{self, cell};
use super::page::Report;
use super::progress::Progress;
use super::rounds::points;
use super::table::Table;

mod case;
mod contender;
mod cpu;
mod load;
mod native;
mod upstream;

/// Upstream replicas, as in the shipped configuration.
const REPLICAS: usize = 3;
/// The contender that does the filter's work without a proxy.
const NATIVE: &str = "the filter's core, native";
/// The wasm instructions of a module, under wasmtime.
const FUEL: &str = "fuel per request";

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let (rounds, time): (u32, _) = match depth {
        // Many short turns: what a shared machine does changes within seconds, and a difference of contenders is a small one.
        Depth::Quick => (11, Duration::from_millis(400)),
        Depth::Full => (21, Duration::from_millis(700)),
    };
    let contenders = Contender::start_all(&upstream::start(REPLICAS)?).await?;
    let turns =
        Case::ALL.iter().flat_map(|case| contenders.iter().filter(|contender| contender.status(*case).is_some()));
    let progress = Progress::new(turns.count() * (rounds as usize + 1));
    let mut data = Data::default();
    // Round 0 is not measured: it opens connections and lets V8 compile hot code.
    for round in 0..=rounds {
        for case in Case::ALL {
            let bodies = case.bodies();
            let requests: Arc<[Vec<u8>]> = bodies.iter().map(|body| load::request(body)).collect();
            // Rotate: the first contender of a round is last in the next.
            for place in 0..contenders.len() {
                let contender = &contenders[(place + round as usize) % contenders.len()];
                let Some(status) = contender.status(case) else { continue };
                progress.doing(format_args!("{case}, {}, round {round} of {rounds}", contender.name));
                let load = load(case, contender, status, &requests, time)?;
                let usage = load.run().await.with_context(|| format!("{case}, {}", contender.name))?;
                if let Some(round) = round.checked_sub(1) {
                    data.add(at(case, &contender.name), round, usage.values());
                }
                progress.step();
            }
            match round.checked_sub(1) {
                Some(round) => data.add(at(case, NATIVE), round, [(CPU, native::microseconds(case, &bodies)?)]),
                None => {
                    let with_rules = json!({ "targets": user_rules() }).to_string();
                    for (contender, configuration) in [(WITH, ""), (WITH_RULES, &*with_rules)] {
                        data.add(at(case, contender), 0, [(FUEL, native::fuel(case, configuration, &bodies[0])?)]);
                    }
                }
            }
        }
    }
    Ok(data)
}

fn load(case: Case, contender: &Contender, status: u16, requests: &Arc<[Vec<u8>]>, time: Duration) -> Result<Load> {
    Ok(Load {
        addr: contender.envoy.addr(),
        requests: Arc::clone(requests),
        status,
        connections: case.connections(),
        time,
        pid: contender.envoy.service().process()?.pid(),
    })
}

fn at(case: Case, contender: &str) -> At<'_> {
    At { case: case.name(), contender, x: 0.0 }
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let contenders: Vec<String> = data.names(|row| &row.contender).into_iter().filter(|name| name != NATIVE).collect();
    let mut tables = Vec::new();
    for case in Case::ALL {
        let mut table = Table::new([case.name(), RATE, "ratio", RATE_OF_A_CORE, "ratio", CPU, BUSY, WAITING]);
        for contender in &contenders {
            if data.figure(at(case, contender), RATE).is_none() {
                continue;
            }
            let figure = |metric| cell(data.figure(at(case, contender), metric));
            let ratio = |metric| cell(data.ratio(at(case, contender), at(case, WITHOUT), metric));
            let rates = [RATE, RATE_OF_A_CORE].map(|rate| [figure(rate), ratio(rate)]);
            let cells = rates.into_iter().flatten().chain([CPU, BUSY, WAITING].map(figure));
            table.row([contender.clone()].into_iter().chain(cells));
        }
        tables.push((case.name().to_owned(), table));
    }
    tables.push(("Cost added by the filter, and of the same work natively".to_owned(), added(data)));
    let rate = data.ratio(at(Case::One, WITH), at(Case::One, WITHOUT), RATE);
    let with_rules = data.ratio(at(Case::One, WITH_RULES), at(Case::One, WITH), RATE);
    let over_module = data.ratio_of_added(at(Case::One, WITH), at(Case::One, MODULE), at(Case::One, WITHOUT), CPU);
    let bars = vec![
        BarCheck::new(format!("{}: {RATE} over {WITHOUT}", Case::One.name()), rate, Bar::AtLeast(0.85)),
        BarCheck::new(format!("{}: {RATE} {WITH_RULES} over {WITH}", Case::One.name()), with_rules, Bar::AtLeast(0.85)),
        BarCheck::new(
            format!("{}: CPU added, the filter over {MODULE}", Case::One.name()),
            over_module,
            Bar::AtMost(1.25),
        ),
    ];
    Report { method: format!("{METHOD}\n{}", figure::METHOD), tables, charts: vec![chart(data, &contenders)], bars }
}

fn added(data: &Data) -> Table {
    let fuel = format!("{FUEL}, 100 target rules");
    let mut table = Table::new([
        "webhook",
        "added by the filter, CPU us",
        "by the dynamic module",
        "filter over module",
        "by a filter that does nothing",
        "native, CPU us",
        FUEL,
        &fuel,
    ]);
    for case in Case::ALL {
        let of = |who| at(case, who);
        let added = |who| cell(data.difference(of(who), of(WITHOUT), CPU));
        let ratio = cell(data.ratio_of_added(of(WITH), of(MODULE), of(WITHOUT), CPU));
        let figure = |(who, metric)| cell(data.figure(of(who), metric));
        let figures = [(NATIVE, CPU), (WITH, FUEL), (WITH_RULES, FUEL)].map(figure);
        table.row([case.name().to_owned(), added(WITH), added(MODULE), ratio, added(IDLE)].into_iter().chain(figures));
    }
    table
}

fn chart(data: &Data, contenders: &[String]) -> Chart {
    let series = contenders.iter().map(String::as_str).chain([NATIVE]).map(|contender| {
        let figures = Case::ALL.into_iter().map(|case| data.figure(at(case, contender), CPU));
        Series { label: contender.to_owned(), points: points(figures) }
    });
    Chart {
        name: "cpu",
        title: "CPU time per webhook".to_owned(),
        x: "webhook",
        y: CPU,
        shape: Shape::Bars(Case::ALL.map(|case| case.name().to_owned()).into()),
        series: series.collect(),
    }
}

const METHOD: &str = "\
Each contender is an Envoy process with one worker and the shipped configuration, with or without the filter. One at a time is
under load, in turn, from 48 connections (8 for webhooks of 60 sub-requests), each of which sends its next webhook when the
response to the previous one arrives. The upstream replicas respond 202 immediately, with a sidecar's response to a duplicate.
The load and the replicas have one thread each and share the cores with Envoy: on two cores the worker may wait for a core. That
wait is reported, and so is the rate per second of the worker's CPU time. CPU time is that of the whole Envoy process. Dynamic
module: the filter's core as a native extension of Envoy, which is the least that an extension can cost; it sends no sub-requests.
A filter that does nothing: proxy-wasm's part, without a buffered body. Native: decode, fingerprint and split in a loop, without
proxy or headers. Fuel: wasm instructions for one webhook in a warm VM.";
