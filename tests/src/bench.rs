//! What it costs, measured: each benchmark runs its contenders side by side, alternating, in one run on one machine, and
//! prints ratios with their spread. An absolute figure says as much about the machine as about us.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bar;
mod compare;
mod latency;
mod machine;
mod samples;

/// What it costs, as ratios of things measured side by side in one run.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub struct Args {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Clone, Debug, Subcommand)]
enum Benchmark {
    /// How long one signal takes through Envoy, over the bare Kubernetes writes that it cannot do without
    Latency(latency::Args),
}

/// Runs a benchmark and prints what it found; returns whether every bar is met, or at least not surely missed.
///
/// # Errors
/// If something that it needs cannot be had, built or started, or anything but the expected answer was given: a benchmark
/// of a system that fails measures nothing.
pub async fn run(args: Args) -> Result<bool> {
    match args.benchmark {
        Benchmark::Latency(args) => latency::run(args).await,
    }
}
