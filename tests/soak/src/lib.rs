//! Histories: three real sidecars, a real API server, a generator of incidents that recur, a nemesis, an independent
//! observer, and a checker that judges what senders were told by what the API server's watch showed.
//!
//! ```text
//! senders ──▶ replicas at random ──▶ a fault proxy each ──▶ kube-apiserver ──▶ observer ─┐
//!    │            ▲ nemesis ──────────────▲       controller (ends, deletes) ──▲         ├─▶ history ─▶ checker
//!    └─────────── what each was told, and when ──────────────────────────────────────────┘
//! ```
//!
//! All decisions come from the seed: bursts, targets, pauses, which RR is ended and deleted and how long after, which
//! replica meets which fault for how long. What a seed does not settle is how threads, processes and the kernel interleave, so
//! that two runs of a seed are alike and not the same. A verdict is therefore on the history, which is written to a file where
//! it is not exact: `--check` judges the file again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use futures::future::{join_all, try_join_all};
use kube::api::ListParams;
use onceway_kit::cluster::deploy::repository;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

mod check;
mod course;
mod history;
mod live;
mod nemesis;
mod observer;
mod recorder;
mod report;
mod sender;
mod timeline;

pub use self::check::{Totals, Verdict, Violation, judge};
pub use self::history::{Answer, Attempt, Change, Event, Fault, History, Left, Micros};
pub use self::report::text;

use self::course::{Course, Goal, World};
use self::live::Live;
use self::observer::Observer;
use self::recorder::Recorder;
use self::sender::Sender;

/// How long what is unfinished may take once all faults are over: the reaper comes by every two seconds.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// Incidents under a nemesis, and a verdict on their history.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
pub struct Args {
    /// How many incidents, each from its first signal until its RR has ended
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub incidents: u64,
    /// What all decisions come from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many sidecars
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub replicas: u8,
    /// How many faults, too: a fast machine has its incidents before the nemesis has struck much, and then goes on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub faults: u64,
    /// How many fingerprints have incidents at the same time, again and again
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub fingerprints: u16,
    /// Where the history is written, whatever the verdict; else only one that is not exact is, below target
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Judge the history in this file again, and do nothing else
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// With --check: show all that happened to the fingerprint that begins so
    #[arg(long, value_name = "FINGERPRINT", requires = "check")]
    pub timeline: Option<String>,
}

impl Args {
    /// The command that makes the same decisions again.
    fn command(&self) -> String {
        let Self { incidents, faults, seed, replicas, fingerprints, .. } = self;
        format!(
            "cargo xtask soak --incidents {incidents} --faults {faults} --seed {seed} --replicas {replicas} \
             --fingerprints {fingerprints}"
        )
    }

    /// How much there must be of everything before the soak ends.
    fn goal(&self) -> Goal {
        Goal { incidents: self.incidents, faults: self.faults }
    }
}

/// Runs a soak, or judges the history of one; returns whether it was exact.
///
/// # Errors
/// If something that it needs cannot be had, built or started, or breaks down: then there is no verdict.
pub async fn run(args: Args) -> Result<bool> {
    if let Some(path) = &args.check {
        let history = History::read(path)?;
        if let Some(fingerprint) = &args.timeline {
            print!("{}", timeline::text(&history, fingerprint));
        }
        let verdict = judge(&history);
        println!("{}", text(&history, &verdict));
        return Ok(verdict.is_exact());
    }
    eprintln!("Starting kube-apiserver with etcd and {} sidecars ...", args.replicas);
    let began = Instant::now();
    let history = record(&args).await?;
    let verdict = judge(&history);
    let path = args.history.clone().or_else(|| (!verdict.is_exact()).then(|| default_path(&args)));
    println!("{}\ntook {:.0} s", text(&history, &verdict), began.elapsed().as_secs_f64());
    if let Some(path) = path {
        history.write(&path)?;
        println!("the history is in {0}; judge it again: cargo xtask soak --check {0}", path.display());
    }
    Ok(verdict.is_exact())
}

/// Where a history goes that is not exact.
fn default_path(args: &Args) -> PathBuf {
    repository().join(format!("target/soak/seed-{}.jsonl", args.seed))
}

/// Makes a history.
///
/// # Errors
/// Those of [`run`].
pub async fn record(args: &Args) -> Result<History> {
    let rig = Rig::replicas(args.replicas.into()).with_clocks().without_bodies().label("soak").config(config());
    let rig = Arc::new(rig.start().await?);
    let recorder = Arc::new(Recorder::new(args.command()));
    let urls = rig.sidecars().iter().map(|sidecar| sidecar.url()).collect();
    let world = Arc::new(World {
        sender: Sender::new(urls, Arc::clone(&recorder)),
        observer: Observer::start(rig.rr_api(), Arc::clone(&recorder)).await?,
        recorder: Arc::clone(&recorder),
        rrs: rig.rr_api(),
    });
    let mut seeds = StdRng::seed_from_u64(args.seed);
    let (stop, stopped) = watch::channel(false);
    let striking = nemesis::strike(&rig, &recorder, seeds.random(), stopped);
    let incidents = Incident::several("prod", args.fingerprints.into()).into_iter();
    let courses = incidents
        .zip(0..)
        .map(|(incident, place)| Course::new(Arc::clone(&world), place, incident, seeds.random()).run(args.goal()));
    let working = async {
        let courses = try_join_all(courses).await?;
        stop.send_replace(true);
        anyhow::Ok(courses)
    };
    let live = Live::new(args.incidents);
    let ((), courses) = tokio::select! {
        both = async { tokio::try_join!(striking, working) } => both?,
        never = live.show(&world) => never,
    };
    live.finish();
    nemesis::calm(&rig).await?;
    settle(&rig, &world, courses).await?;
    Ok(recorder.take())
}

/// The sidecar's configuration: times as short as it allows, so that there are many of the moments that matter.
fn config() -> Value {
    json!({
        "limits": { "deadline": "2s", "apiCallTimeout": "1s" },
        "lease": { "duration": "5s", "takeoverAfter": "100ms" },
        "batching": { "countInterval": "5ms" },
        "housekeeping": { "reapInterval": "2s" },
        "index": { "watchTimeout": "5s" },
        "shutdown": { "lameDuck": "0s" },
        "log": { "level": "warn" },
    })
}

/// All faults are over: waits until nothing is on its way, sends each incident a last signal, waits until nothing is left to
/// be tidied up, and reads what is there. What does not come about is for the checker to say.
async fn settle(rig: &Rig, world: &World, courses: Vec<Course>) -> Result<()> {
    eprintln!("All faults are over; settling ...");
    quiet(rig).await?;
    join_all(courses.into_iter().map(Course::last)).await;
    quiet(rig).await?;
    let fingerprints_are_tidy = |seen: &observer::Seen| seen.all().all(|rr| rr.ended || rr.count > 0);
    let _untidy_is_a_violation = world.observer.until(SETTLE_LIMIT, fingerprints_are_tidy).await;
    let read = world.rrs.list(&ListParams::default()).await.context("cannot read the RRs at the end")?;
    let left: Option<Vec<Left>> = read.items.iter().map(left).collect();
    let left = left.context("an RR without uid or resourceVersion")?;
    let caught_up = |seen: &observer::Seen| left.iter().all(|left| seen.all().any(|rr| rr.version == left.version));
    let _a_gap_is_a_violation = world.observer.until(SETTLE_LIMIT, caught_up).await;
    world.recorder.left(left);
    Ok(())
}

/// Waits until no call to the API server is on its way.
async fn quiet(rig: &Rig) -> Result<()> {
    let ended = rig.record().wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await;
    ended.map_err(|_| anyhow::anyhow!("calls to the API server are still on their way, although all faults are over"))
}

fn left(rr: &onceway_kit::rig::Rr) -> Option<Left> {
    Some(Left { uid: rr.metadata.uid.clone()?, version: rr.metadata.resource_version.as_deref()?.parse().ok()? })
}
