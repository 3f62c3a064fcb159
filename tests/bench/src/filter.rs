//! What the filter costs one Envoy worker: the same Envoy with and without it, side by side, and the same work natively.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use self::case::Case;
use self::contender::{Contender, WITH, WITHOUT};
use self::load::{BUSY, CPU, Load, RATE, RATE_OF_A_CORE, WAITING};
use super::Depth;
use super::bar::{Bar, Judged};
use super::chart::{Chart, Series, Shape};
use super::data::{At, Data};
use super::duel::points;
use super::figure::{self, cell};
use super::page::Report;
use super::progress::Progress;
use super::table::Table;

mod case;
mod contender;
mod cpu;
mod load;
mod native;
mod upstream;

/// Replicas behind Envoy, as in the shipped configuration.
const REPLICAS: usize = 3;
/// Who does the filter's work without a proxy.
const NATIVE: &str = "the filter's core, native";
/// What a module executes, under wasmtime.
const FUEL: &str = "fuel per request";

/// Measures.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let (rounds, time): (u32, _) = match depth {
        Depth::Quick => (5, Duration::from_millis(700)),
        Depth::Full => (15, Duration::from_millis(1500)),
    };
    let contenders = Contender::start_all(&upstream::start(REPLICAS)?).await?;
    let progress = Progress::new(contenders.len() * Case::ALL.len() * (rounds as usize + 1));
    let mut data = Data::default();
    // Connections are open, and V8 has compiled what runs often, after a round that is not measured.
    for round in 0..=rounds {
        for case in Case::ALL {
            let bodies = case.bodies();
            let requests: Arc<[Vec<u8>]> = bodies.iter().map(|body| load::request(body)).collect();
            // Who was first is last in the next round.
            for place in 0..contenders.len() {
                let contender = &contenders[(place + round as usize) % contenders.len()];
                progress.doing(format_args!("{case}, {}, round {round} of {rounds}", contender.name));
                let load = load(case, contender, &requests, time)?;
                let taken = load.run().await.with_context(|| format!("{case}, {}", contender.name))?;
                if let Some(round) = round.checked_sub(1) {
                    data.add(at(case, &contender.name), round, taken.values());
                }
                progress.step();
            }
            match round.checked_sub(1) {
                Some(round) => data.add(at(case, NATIVE), round, [(CPU, native::microseconds(case, &bodies)?)]),
                None => data.add(at(case, WITH), 0, [(FUEL, native::fuel(case, &bodies[0])?)]),
            }
        }
    }
    Ok(data)
}

fn load(case: Case, contender: &Contender, requests: &Arc<[Vec<u8>]>, time: Duration) -> Result<Load> {
    Ok(Load {
        addr: contender.envoy.addr(),
        requests: Arc::clone(requests),
        status: if contender.has_filter { case.status() } else { upstream::STATUS },
        connections: case.connections(),
        time,
        pid: contender.envoy.service().process()?.pid(),
    })
}

fn at(case: Case, contender: &str) -> At<'_> {
    At { case: case.name(), contender, x: 0.0 }
}

/// Draws conclusions.
pub(super) fn report(data: &Data) -> Report {
    let contenders: Vec<String> = data.names(|row| &row.contender).into_iter().filter(|name| name != NATIVE).collect();
    let mut tables = Vec::new();
    for case in Case::ALL {
        let mut table = Table::new([case.name(), RATE, "ratio", RATE_OF_A_CORE, "ratio", CPU, BUSY, WAITING]);
        for contender in &contenders {
            let figure = |metric| cell(data.figure(at(case, contender), metric));
            let ratio = |metric| cell(data.ratio(at(case, contender), at(case, WITHOUT), metric));
            let rates = [RATE, RATE_OF_A_CORE].map(|rate| [figure(rate), ratio(rate)]);
            let cells = rates.into_iter().flatten().chain([CPU, BUSY, WAITING].map(figure));
            table.row([contender.clone()].into_iter().chain(cells));
        }
        tables.push((case.name().to_owned(), table));
    }
    tables.push(("What it adds, and what the same work takes natively".to_owned(), added(data)));
    let rate = data.ratio(at(Case::One, WITH), at(Case::One, WITHOUT), RATE);
    let bars = vec![Judged::new(format!("{}: {RATE} over {WITHOUT}", Case::One.name()), rate, Bar::AtLeast(0.85))];
    Report { method: format!("{METHOD}\n{}", figure::METHOD), tables, charts: vec![chart(data, &contenders)], bars }
}

fn added(data: &Data) -> Table {
    let mut table = Table::new(["webhook", "added by the filter, CPU us", "native, CPU us", FUEL]);
    for case in Case::ALL {
        let added = data.difference(at(case, WITH), at(case, WITHOUT), CPU);
        let [native, fuel] = [(NATIVE, CPU), (WITH, FUEL)].map(|(who, metric)| data.figure(at(case, who), metric));
        table.row([case.name().to_owned(), cell(added), cell(native), cell(fuel)]);
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
One Envoy process of one worker for each contender, the shipped configuration, with the filter or without it; one of \
them under load at a time, in turn, from 48 connections (8 where webhooks are split in 60) that each send the next \
webhook when the last is answered. Replicas answer 202 at once with what a sidecar says of a duplicate. Load and \
replicas have a thread each, and share the cores with Envoy: where they are two, the worker may have to wait for \
one, which is told, and requests per second of its CPU time are told too. CPU time is that of the whole Envoy \
process. Natively: decode, fingerprint and split in a loop, without proxy or headers. Fuel: wasm \
instructions, for one webhook in a warm VM.";
