//! `cargo xtask prove`: explores every state of the claim protocol within wider bounds than the tests do, or shows step
//! by step how simpler protocols fail.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use onceway_model::catalogue::{self, Run};
use onceway_model::{counterexample, explore};

/// The interval of progress lines if there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Explore every state of the claim protocol, or show how simpler protocols fail
#[derive(Parser)]
#[command(name = "cargo xtask prove", bin_name = "cargo xtask prove")]
struct Args {
    /// Show how simpler protocols fail, each with a shortest counterexample
    #[arg(long)]
    wrong: bool,
    /// Only the runs of the tests: minutes instead of an hour
    #[arg(long, conflicts_with = "wrong")]
    quick: bool,
    /// Only the runs or protocols whose name contains this
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Number of threads; by default one per processor
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if args.wrong { show_failing(&args) } else { prove(&args) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show_failing(args: &Args) -> Result<()> {
    let mut unbroken = Vec::new();
    let selected = catalogue::failing().into_iter().filter(|protocol| args.selects(protocol.name));
    let mut shown = 0;
    for protocol in selected {
        shown += 1;
        println!("{}\n  argument: {}\n  violates: {}\n", protocol.name, protocol.idea, protocol.violates);
        match counterexample(&protocol.bounds, protocol.violates) {
            Some(timeline) => println!("{timeline}"),
            None => unbroken.push(protocol.name),
        }
    }
    ensure!(shown > 0, "no protocol has a name that contains this; `--wrong` without a name shows all");
    ensure!(unbroken.is_empty(), "no violation within the bounds: {}", unbroken.join(", "));
    println!("{shown} simpler protocols, {shown} fail");
    Ok(())
}

fn prove(args: &Args) -> Result<()> {
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let runs = if args.quick { catalogue::quick() } else { catalogue::deep() };
    let runs: Vec<Run> = runs.into_iter().filter(|run| args.selects(run.name)).collect();
    ensure!(!runs.is_empty(), "no run has a name that contains this; without a name all runs are made");
    let mut failed = 0;
    for run in runs {
        println!("{}\n  {}", run.name, run.bounds);
        failed += usize::from(!passes(&run, threads));
    }
    ensure!(failed == 0, "{failed} of the runs failed");
    Ok(())
}

/// Makes one run, prints its result, and returns whether it passed.
fn passes(run: &Run, threads: usize) -> bool {
    let progress = ProgressBar::new_spinner();
    let mut next_line = LINE_EVERY;
    let explored = explore(&run.bounds, threads, |states| {
        let states = HumanCount(states as u64);
        progress.set_message(format!("{states} states"));
        progress.tick();
        if progress.is_hidden() && progress.elapsed() >= next_line {
            next_line += LINE_EVERY;
            eprintln!("  {states} states after {}", HumanDuration(progress.elapsed()));
        }
    });
    progress.finish_and_clear();
    let (states, took) = (HumanCount(explored.states as u64), HumanDuration(progress.elapsed()));
    let mut failures = explored.failures;
    if let Some(expected) = run.states.filter(|expected| *expected != explored.states) {
        failures
            .push(format!("expected {} states: the protocol or its model has changed", HumanCount(expected as u64)));
    }
    let verdict = if failures.is_empty() { "all properties hold" } else { "FAILED" };
    println!("  {states} states, {} actions deep, {took}: {verdict}", explored.depth);
    for line in &failures {
        println!("  {line}");
    }
    println!();
    failures.is_empty()
}

impl Args {
    fn selects(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}
