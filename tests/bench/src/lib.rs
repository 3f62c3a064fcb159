//! Benchmarks. Each runs its contenders in turns, in one run on one machine, and reports ratios with their spread: an
//! absolute figure depends on the machine as much as on Onceway.
//!
//! A benchmark first measures (`data.rs`, stored as CSV) and then reports from that data alone, so that anyone can rebuild the
//! tables and charts without measuring.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

mod affinity;
mod audit;
mod auth;
mod bar;
pub mod baseline;
mod change;
mod chart;
mod contender;
mod cost;
mod data;
mod figure;
mod filter;
mod latency;
mod load;
mod machine;
mod memory;
mod overload;
mod page;
mod pair;
mod progress;
mod rounds;
mod scale;
mod storms;
mod table;
mod turns;

use self::data::Data;
use self::page::Report;

/// Cost of Onceway, as ratios of contenders measured side by side in one run.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub struct Args {
    /// Benchmarks to run [default: all but `overload` and `change`, one after the other]
    #[arg(value_enum)]
    benchmarks: Vec<Benchmark>,
    /// Few and short rounds, about 15 minutes for all; the default
    #[arg(long)]
    quick: bool,
    /// Full rounds, more than an hour for all
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Directory for raw data (CSV), tables (Markdown) and charts (SVG)
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// Measure nothing; rebuild tables and charts from the raw data in --out
    #[arg(long)]
    redraw: bool,
}

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// One signal at a time, relative to the bare Kubernetes writes that it needs: the cost of the claim
    Latency,
    /// Storms, compared with the per-signal algorithm
    Storms,
    /// Growing storms, numbers of RRs and numbers of replicas
    Scale,
    /// Memory of a sidecar over the number of fingerprints it has seen
    Memory,
    /// Every signal sent to its owner, compared with random replicas
    Affinity,
    /// Senders authenticated and authorized, compared with nobody
    Auth,
    /// The filter in one Envoy worker, compared with the same Envoy without it and with the same work done natively
    Filter,
    /// Webhooks offered faster than they can be counted, and sent again until they are acknowledged; runs only if named
    Overload,
    /// This sidecar compared with one built before a change ($ONCEWAY_BEFORE); runs only if named
    Change,
}

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Quick,
    Full,
}

impl Benchmark {
    /// Those that run unless others are named.
    const ALL: [Self; 7] =
        [Self::Latency, Self::Storms, Self::Scale, Self::Affinity, Self::Auth, Self::Filter, Self::Memory];

    /// The stem of its files' names.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    async fn measure(self, depth: Depth) -> Result<Data> {
        match self {
            Self::Latency => latency::measure(depth).await,
            Self::Storms => storms::measure(depth).await,
            Self::Scale => scale::measure(depth).await,
            Self::Memory => memory::measure(depth).await,
            Self::Affinity => affinity::measure(depth).await,
            Self::Auth => auth::measure(depth).await,
            Self::Filter => filter::measure(depth).await,
            Self::Overload => overload::measure(depth).await,
            Self::Change => change::measure(depth).await,
        }
    }

    fn report(self, data: &Data) -> Report {
        match self {
            Self::Latency => latency::report(data),
            Self::Storms => storms::report(data),
            Self::Scale => scale::report(data),
            Self::Memory => memory::report(data),
            Self::Affinity => affinity::report(data),
            Self::Auth => auth::report(data),
            Self::Filter => filter::report(data),
            Self::Overload => overload::report(data),
            Self::Change => change::report(data),
        }
    }
}

/// Runs benchmarks and prints their pages; returns whether no bar is missed.
///
/// # Errors
/// If a component cannot be fetched, built or started, or fails so that nothing can be measured. The other benchmarks still
/// run.
pub async fn run(args: Args) -> Result<bool> {
    let depth = if args.full { Depth::Full } else { Depth::Quick };
    let benchmarks = if args.benchmarks.is_empty() { Benchmark::ALL.as_slice() } else { &args.benchmarks };
    fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let (mut met, mut failed) = (true, Ok(()));
    for &benchmark in benchmarks {
        let measured = if args.redraw { Ok(()) } else { measure(benchmark, depth, &args.out).await };
        match measured.and_then(|()| report(benchmark, &args.out)) {
            Ok(all) => met &= all,
            Err(error) => {
                eprintln!("the benchmark {} failed: {error:#}", benchmark.name());
                failed = Err(error.context(format!("the benchmark {}", benchmark.name())));
            }
        }
    }
    println!("\nRaw data, tables and charts: {}", args.out.display());
    failed.map(|()| met)
}

async fn measure(benchmark: Benchmark, depth: Depth, dir: &Path) -> Result<()> {
    let name = benchmark.name();
    let heading = heading(&name, depth);
    let mut data = benchmark.measure(depth).await?;
    data.heading = heading;
    data.write(&page::raw(dir, &name))
}

fn report(benchmark: Benchmark, dir: &Path) -> Result<bool> {
    let name = benchmark.name();
    let data = page::read(dir, &name)?;
    let report = benchmark.report(&data);
    report.write(dir, &name, &data.heading)?;
    println!("{}", report.page(&name, &data.heading));
    for bar in report.missed() {
        eprintln!("{name}: {}", bar.text());
    }
    Ok(report.missed().next().is_none())
}

fn heading(name: &str, depth: Depth) -> Vec<String> {
    let depth = match depth {
        Depth::Quick => "--quick",
        Depth::Full => "--full",
    };
    vec![format!("`cargo xtask bench {name} {depth}`: {}.", machine::text())]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Benchmark, page};
    use onceway_kit::cluster::deploy::repository;

    #[test]
    fn the_pages_in_docs_match_the_raw_data_beside_them() {
        let dir = repository().join("docs/benchmarks");
        for benchmark in Benchmark::ALL.into_iter().chain([Benchmark::Overload]) {
            let name = benchmark.name();
            let data = page::read(&dir, &name).unwrap();
            for (file, text) in benchmark.report(&data).files(&name, &data.heading).unwrap() {
                let kept = fs::read_to_string(dir.join(&file)).unwrap_or_default();
                assert!(
                    kept == text,
                    "docs/benchmarks/{} does not match its raw data; run: cargo xtask bench {name} --redraw --out \
                     docs/benchmarks",
                    file.display()
                );
            }
        }
    }
}
