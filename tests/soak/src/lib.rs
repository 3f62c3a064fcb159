//! `cargo xtask soak`: real sidecars and a real API server under a nemesis. Senders and an independent observer record
//! a history; a checker compares the responses with the RR versions that the API server's watch delivered.
//!
//! ```text
//! senders ──▶ random replica ──▶ its fault proxy ──▶ kube-apiserver ──▶ observer ─┐
//!    │           ▲ nemesis ──────────▲     controller (ends, deletes) ─▲            ├─▶ history ─▶ checker
//!    └────────── each attempt: response, start, end ───────────────────────────────┘
//! ```
//!
//! The seed determines all decisions: bursts, targets, pauses, which RR is ended or deleted and when, which replica
//! gets which fault for how long. It does not determine how threads, processes and the kernel interleave, so two runs
//! of a seed differ. The verdict is therefore on the history. A history that is not exact is written to a file, and
//! `--check` judges it again.

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
pub use self::history::{Attempt, ControllerWrite, Event, FinalRr, History, InjectedFault, Micros, Observation};
pub use self::report::text;

use self::course::{Environment, Goal, Workload};
use self::live::Live;
use self::observer::Observer;
use self::recorder::Recorder;
use self::sender::Sender;

/// How long cleanup may take after the last fault: the GC of RRs runs every two seconds.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// Run incidents under a nemesis, record the history, and judge it.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
pub struct Args {
    /// Incidents to complete; an incident lasts from its first signal until its RR is terminal
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub incidents: u64,
    /// Seed of all decisions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of sidecars
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub replicas: u8,
    /// Faults to inject; the run continues until it has completed this many faults and --incidents incidents
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub faults: u64,
    /// Fingerprints with concurrent incidents, which recur
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub fingerprints: u16,
    /// Write the history to this file. By default only a history that is not exact is written, below target/soak
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Judge the history in this file instead of running a soak
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// With --check: print the timeline of the fingerprint with this prefix
    #[arg(long, value_name = "FINGERPRINT", requires = "check")]
    pub timeline: Option<String>,
}

impl Args {
    /// The command that repeats these decisions.
    fn command(&self) -> String {
        let Self { incidents, faults, seed, replicas, fingerprints, .. } = self;
        format!(
            "cargo xtask soak --incidents {incidents} --faults {faults} --seed {seed} --replicas {replicas} \
             --fingerprints {fingerprints}"
        )
    }

    /// When the soak is complete.
    fn goal(&self) -> Goal {
        Goal { incidents: self.incidents, faults: self.faults }
    }
}

/// Runs a soak, or judges a recorded history. Returns whether it is exact.
///
/// # Errors
/// If a component cannot be fetched, built or started, or fails: then there is no verdict.
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
        println!("history: {0}\njudge it again: cargo xtask soak --check {0}", path.display());
    }
    Ok(verdict.is_exact())
}

/// The file of a history that is not exact.
fn default_path(args: &Args) -> PathBuf {
    repository().join(format!("target/soak/seed-{}.jsonl", args.seed))
}

/// Runs a soak and returns its history.
///
/// # Errors
/// Those of [`run`].
pub async fn record(args: &Args) -> Result<History> {
    let rig = Rig::replicas(args.replicas.into()).with_clocks().without_bodies().label("soak").config(config());
    let rig = Arc::new(rig.start().await?);
    let recorder = Arc::new(Recorder::new(args.command()));
    let urls = rig.sidecars().iter().map(|sidecar| sidecar.url()).collect();
    let environment = Arc::new(Environment {
        sender: Sender::new(urls, Arc::clone(&recorder)),
        observer: Observer::start(rig.rr_api(), Arc::clone(&recorder)).await?,
        recorder: Arc::clone(&recorder),
        rrs: rig.rr_api(),
    });
    let mut seeds = StdRng::seed_from_u64(args.seed);
    let (stop, stopped) = watch::channel(false);
    let injecting = nemesis::run(&rig, &recorder, seeds.random(), stopped);
    let incidents = Incident::several("prod", args.fingerprints.into()).into_iter();
    let workloads = incidents.zip(0..).map(|(incident, index)| {
        Workload::new(Arc::clone(&environment), index, incident, seeds.random()).run(args.goal())
    });
    let working = async {
        let workloads = try_join_all(workloads).await?;
        stop.send_replace(true);
        anyhow::Ok(workloads)
    };
    let live = Live::new(args.incidents);
    let ((), workloads) = tokio::select! {
        both = async { tokio::try_join!(injecting, working) } => both?,
        never = live.show(&environment) => never,
    };
    live.finish();
    nemesis::restore(&rig).await?;
    settle(&rig, &environment, workloads).await?;
    Ok(recorder.take())
}

/// The sidecar's configuration, with times as short as it allows, so that takeovers and GC happen often.
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

/// Runs after the last fault: waits until no call is in flight, sends each incident a last signal, waits for GC, and
/// reads all RRs. A wait that times out is no error here: the checker reports it as a violation.
async fn settle(rig: &Rig, environment: &Environment, workloads: Vec<Workload>) -> Result<()> {
    eprintln!("Faults ended; settling ...");
    wait_until_idle(rig).await?;
    join_all(workloads.into_iter().map(Workload::send_last)).await;
    wait_until_idle(rig).await?;
    let collected = |state: &observer::WatchState| state.all().all(|rr| rr.terminal || rr.count > 0);
    let _uncounted_rrs_are_a_violation = environment.observer.wait_until(SETTLE_LIMIT, collected).await;
    let read = environment.rrs.list(&ListParams::default()).await.context("cannot list the RRs at the end")?;
    let rrs: Option<Vec<FinalRr>> = read.items.iter().map(final_rr).collect();
    let rrs = rrs.context("an RR without uid or resourceVersion")?;
    let caught_up =
        |state: &observer::WatchState| rrs.iter().all(|rr| state.all().any(|one| one.version == rr.version));
    let _a_gap_is_a_violation = environment.observer.wait_until(SETTLE_LIMIT, caught_up).await;
    environment.recorder.final_rrs(rrs);
    Ok(())
}

/// Waits until no call to the API server is in flight.
async fn wait_until_idle(rig: &Rig) -> Result<()> {
    let ended = rig.record().wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await;
    ended.map_err(|_| anyhow::anyhow!("calls to the API server are still in flight although no fault is active"))
}

fn final_rr(rr: &onceway_kit::rig::Rr) -> Option<FinalRr> {
    Some(FinalRr { uid: rr.metadata.uid.clone()?, version: rr.metadata.resource_version.as_deref()?.parse().ok()? })
}
