//! How long one signal takes, one at a time, over the bare Kubernetes writes that it cannot do without.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::ProgressBar;
use tokio::time::sleep;

mod bare;
mod contender;
mod course;
mod report;

use self::contender::Contender;
use self::course::{Course, OWNED_INCIDENTS};
use self::report::{Measured, Report};
use super::bar::Verdict;
use super::machine;
use super::samples::Samples;

const SAMPLES: u32 = 300;
const SAMPLES_IF_QUICK: u32 = 60;

/// What is measured, and how often.
#[derive(Clone, Debug, Parser)]
pub(super) struct Args {
    /// Take 60 samples of each contender instead of 300
    #[arg(long, conflicts_with = "samples")]
    quick: bool,
    /// Samples of each contender [default: 300]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: Option<u32>,
    /// Rounds that the samples are taken in; in each round every contender has its turn
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Replicas behind Envoy
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    replicas: u8,
    /// Milliseconds between two samples, so that what is done off the path of one is not in the way of the next
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    pause: u64,
    /// Write every sample to this file, as CSV
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

impl Args {
    /// Samples of each contender in each round.
    fn per_round(&self) -> usize {
        let samples = self.samples.unwrap_or(if self.quick { SAMPLES_IF_QUICK } else { SAMPLES });
        samples.div_ceil(self.rounds) as usize
    }
}

/// Measures and prints; returns whether no bar is surely missed.
pub(super) async fn run(args: Args) -> Result<bool> {
    let heading = heading(&args);
    eprintln!("Starting kube-apiserver with etcd, sidecars and Envoy, and opening incidents that are to recur ...");
    // One round more than is measured.
    let recurring = args.per_round() * (args.rounds as usize + 1);
    let mut course = Course::start(args.replicas.into(), recurring).await?;
    let report = measure(&args, &mut course).await?;
    course.verify().await?;

    println!("{heading}\n\n{}", report.text());
    if let Some(path) = &args.raw {
        fs::write(path, report.raw()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report.verdicts().iter().all(|(verdict, _)| *verdict != Verdict::Missed))
}

async fn measure(args: &Args, course: &mut Course) -> Result<Report> {
    let measured = |contender| Measured { contender, samples: Samples::default(), api_calls: 0.0 };
    let mut report = Report(Contender::ALL.map(measured).into());
    let trials = Contender::ALL.len() as u64 * u64::from(args.rounds) * args.per_round() as u64;
    let progress = ProgressBar::new(trials);
    // Connections and caches of all parts are warm after a round that is not measured.
    measure_round(args, course, &mut Report(Contender::ALL.map(measured).into()), &ProgressBar::hidden()).await?;
    for _ in 0..args.rounds {
        measure_round(args, course, &mut report, &progress).await?;
        // Who was first is last in the next round: nobody always has the same neighbour in time.
        report.0.rotate_left(1);
    }
    progress.finish_and_clear();
    report.0.sort_by_key(|measured| Contender::ALL.iter().position(|one| *one == measured.contender));
    Ok(report)
}

/// Gives every contender its turn.
async fn measure_round(args: &Args, course: &mut Course, report: &mut Report, progress: &ProgressBar) -> Result<()> {
    let pause = Duration::from_millis(args.pause);
    for measured in &mut report.0 {
        let trials = course.prepare(measured.contender, args.per_round()).await?;
        let calls_before = course.api_calls().await?;
        measured.samples.begin_round();
        for trial in trials {
            sleep(pause).await;
            measured.samples.add(course.run(trial).await?);
            progress.inc(1);
        }
        // What the last one leaves to do off its path is a call of this contender's too.
        sleep(pause).await;
        measured.api_calls += course.api_calls().await? - calls_before;
    }
    Ok(())
}

/// What was measured, and how, so that the figures can be judged without the code.
fn heading(args: &Args) -> String {
    format!(
        "Latency of one signal at a time: {} samples of each contender in {} rounds, in each of which every contender has \
         its turn.\n\
         Signals go through Envoy with the filter to {} sidecars; bare writes go from the same process straight to the same \
         API server,\nwith the same client library (kube), objects and rights. Duplicates are spread over {OWNED_INCIDENTS} \
         incidents, since counts of one are paced\n(batching.countInterval). API calls are per signal and include those \
         that are made after the answer.\n\
         In brackets: what 95 % of figures are within when the rounds are drawn anew. \"unclear\" is a bar within them.\n\
         {}",
        args.per_round() * args.rounds as usize,
        args.rounds,
        args.replicas,
        machine::text(),
    )
}
