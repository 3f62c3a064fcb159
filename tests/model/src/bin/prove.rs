//! `cargo xtask prove`: explores every state of the claim protocol within wider bounds than the tests do; or shows, step by
//! step, how easier protocols fail.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use onceway_model::catalogue::{self, Run};
use onceway_model::{counterexample, explore};

/// How often a line tells the progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Explore every state of the claim protocol, or show how easier protocols fail
#[derive(Parser)]
#[command(name = "cargo xtask prove", bin_name = "cargo xtask prove")]
struct Args {
    /// Show how protocols fail that are easier than ours, each with its shortest counterexample
    #[arg(long)]
    wrong: bool,
    /// Only the runs that the tests make: minutes, rather than an hour
    #[arg(long, conflicts_with = "wrong")]
    quick: bool,
    /// Only those whose name contains this
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How many threads explore; each processor has one unless told otherwise
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if args.wrong { show_wrong(&args) } else { prove(&args) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show_wrong(args: &Args) -> Result<()> {
    let mut uncaught = Vec::new();
    let wanted = catalogue::wrong().into_iter().filter(|wrong| args.wants(wrong.name));
    let mut seen = 0;
    for wrong in wanted {
        seen += 1;
        println!("{}\n  the idea: {}\n  what breaks: {}\n", wrong.name, wrong.idea, wrong.broken);
        match counterexample(&wrong.bounds, wrong.broken) {
            Some(timeline) => println!("{timeline}"),
            None => uncaught.push(wrong.name),
        }
    }
    ensure!(seen > 0, "there is no such protocol; `--wrong` alone shows them all");
    ensure!(uncaught.is_empty(), "not caught within its bounds: {}", uncaught.join(", "));
    println!("{seen} wrong protocols, {seen} caught");
    Ok(())
}

fn prove(args: &Args) -> Result<()> {
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let runs = if args.quick { catalogue::quick() } else { catalogue::deep() };
    let runs: Vec<Run> = runs.into_iter().filter(|run| args.wants(run.name)).collect();
    ensure!(!runs.is_empty(), "there is no such run; without a name all are made");
    let mut failed = 0;
    for run in runs {
        println!("{}\n  {}", run.name, run.bounds);
        failed += usize::from(!one(&run, threads));
    }
    ensure!(failed == 0, "{failed} of the runs failed");
    Ok(())
}

/// Makes one run and says what came of it.
fn one(run: &Run, threads: usize) -> bool {
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
    let mut wrong = explored.wrong;
    if let Some(expected) = run.states.filter(|expected| *expected != explored.states) {
        wrong.push(format!("expected {} states: the protocol or its model has changed", HumanCount(expected as u64)));
    }
    let verdict = if wrong.is_empty() { "all properties hold" } else { "FAILED" };
    println!("  {states} states, {} actions deep, {took}: {verdict}", explored.depth);
    for line in &wrong {
        println!("  {line}");
    }
    println!();
    wrong.is_empty()
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()))
    }
}
