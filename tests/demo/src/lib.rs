//! `cargo xtask demo`: a storm of alerts through Envoy and three sidecars into a real Kubernetes API server, a second
//! storm during which one replica is killed, and a verdict on both.

use std::env;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use onceway_kit::built;
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, Verdict};
use onceway_kit::storm::Report;
use onceway_tools::Tool;

mod live;
mod poke;
mod snapshot;
mod table;

use self::live::Live;
use self::snapshot::Snapshot;
use self::table::Storms;

/// How often the view is redrawn.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
/// The replica is killed when 1/n of the second storm is acknowledged.
const KILL_AFTER_SHARE: u64 = 3;

/// Send a storm of alerts through Envoy and three sidecars into a real Kubernetes API server, kill a replica during a
/// second storm, and print a verdict. Then keep running until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask demo --")]
pub struct Args {
    /// Exit after the verdict, with exit code 0 if it is exact
    #[arg(long)]
    once: bool,
    /// Signals in each of the two storms
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    signals: u64,
    /// Incidents that the signals belong to
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=40))]
    incidents: u16,
    /// Use the cluster of KUBECONFIG's current context instead of a kube-apiserver of the demo's own. Creates a namespace
    /// there, with RRs in it, and the CRD if the cluster has none; deletes the namespace at the end
    #[arg(long)]
    use_kubeconfig: bool,
    /// Signals in flight
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    concurrency: u16,
}

/// Runs the demo. Returns whether both verdicts are exact.
///
/// # Errors
/// If a component cannot be fetched, built or started.
pub async fn run(args: Args) -> Result<bool> {
    let use_kubeconfig = args.use_kubeconfig;
    tokio::task::spawn_blocking(move || get_ready(use_kubeconfig)).await??;
    let rig = Rig::replicas(3).with_envoy().with_auth().label("demo");
    let rig = if use_kubeconfig {
        let cluster = Cluster::of_kubeconfig().await?;
        eprintln!("Starting three sidecars and Envoy; the API server is {} ...", cluster.url());
        rig.in_cluster(cluster).start().await?
    } else {
        if env::var_os("KUBECONFIG").is_some() {
            eprintln!(
                "KUBECONFIG is set; --use-kubeconfig would use that cluster. It is not used unless asked for: RRs start repairs."
            );
        }
        eprintln!("Starting kube-apiserver with etcd, three sidecars and Envoy ...");
        rig.own_cluster().start().await?
    };
    let shown = show(&rig, &args).await;
    if rig.cluster().is_of_user() {
        eprintln!("Deleting the namespace {} ...", rig.namespace().name());
        rig.namespace().delete().await?;
    }
    shown
}

/// Both storms, their verdict, and unless `--once`, the commands to try until Ctrl-C.
async fn show(rig: &Rig, args: &Args) -> Result<bool> {
    // The sender may signal about the demo's own namespace and about nothing else.
    let namespace = rig.namespace().name();
    let sender = rig.namespace().sender("alertmanager").await?;
    sender.permit(namespace).await?;
    let token = sender.token().await?;
    let incidents = Incident::several(namespace, args.incidents.into());
    let (first, verdict) = storm(rig, args, &token, &incidents, 0, None).await?;
    let writes_of_first = snapshot::writes(rig);
    let mut exact = verdict.is_exact();

    let victim = busiest(rig, &incidents).await?;
    let (second, verdict) = storm(rig, args, &token, &incidents, args.signals, Some((victim, &first))).await?;
    exact &= verdict.is_exact();

    let storms = Storms { first, second, writes_of_first, writes: snapshot::writes(rig), victim, exact };
    println!("{}", table::text(&storms, &verdict, &incidents));
    if args.once {
        return Ok(exact);
    }
    rig.sidecar(victim).service().restart()?;
    rig.sidecar(victim).until_ready().await?;
    println!("{}", poke::lines(rig, &sender.user(), &token)?);
    tokio::signal::ctrl_c().await?;
    Ok(exact)
}

/// Gets what takes long on a fresh machine, before anything is started.
fn get_ready(use_kubeconfig: bool) -> Result<()> {
    Tool::Envoy.get()?;
    if !use_kubeconfig {
        Tool::Etcd.get()?;
        Tool::KubeApiserver.get()?;
    }
    built::sidecar()?;
    built::filter::path()?;
    Ok(())
}

/// Sends a storm and shows its progress. With `kill`, kills that replica during the storm; the verdict then covers the
/// earlier storm too.
async fn storm(
    rig: &Rig,
    args: &Args,
    token: &str,
    incidents: &[Incident],
    first_signal: u64,
    kill: Option<(usize, &Report)>,
) -> Result<(Report, Verdict)> {
    let storm = rig.storm(incidents.to_vec()).signals(args.signals).concurrency(args.concurrency.into()).token(token);
    let running = storm.first(first_signal).start();
    let title = if kill.is_some() { "Second storm" } else { "First storm" };
    let live = Live::new(title, args.signals, incidents.len(), stderr().is_terminal());
    let mut killing = kill.map(|(replica, _)| replica);
    while !running.is_finished() {
        live.show(&Snapshot::take(rig, incidents, &running).await?);
        tokio::select! {
            () = tokio::time::sleep(REDRAW_EVERY) => {}
            () = running.until_acknowledged(args.signals / KILL_AFTER_SHARE), if killing.is_some() => {
                let Some(replica) = killing.take_if(|_| !running.is_finished()) else { break };
                rig.sidecar(replica).service().kill().await?;
                live.note(&format!("{} killed (SIGKILL) during the storm", rig.sidecar(replica).name()));
            }
        }
    }
    ensure!(killing.is_none(), "the storm ended before a replica could be killed; increase --signals");
    live.show(&Snapshot::take(rig, incidents, &running).await?);
    live.finish();
    let report = running.report().await;
    let verdict = match kill {
        Some((_, before)) => rig.compare(&before.clone().merge(report.clone())).await?,
        None => rig.compare(&report).await?,
    };
    Ok((report, verdict))
}

/// The replica that owns the most incidents, whose kill has the largest effect.
async fn busiest(rig: &Rig, incidents: &[Incident]) -> Result<usize> {
    let rows = snapshot::rows(rig, incidents).await?;
    let owned = |name: &str| rows.iter().filter(|row| row.owner.as_deref() == Some(name)).count();
    let replicas = rig.sidecars().iter().enumerate();
    Ok(replicas.max_by_key(|(_, sidecar)| owned(sidecar.name())).map_or(0, |(n, _)| n))
}
