//! The soak in small, so that its nemesis and its checker are tried with every change; `cargo xtask soak` is the large one.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use onceway_tests::cluster::deploy::repository;
use onceway_tests::payload::Incident;
use onceway_tests::rig::Rig;
use onceway_tests::soak::{Args, History, judge, record, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_under_a_nemesis_are_exact_and_their_history_gets_the_same_verdict_from_its_file() -> Result<()> {
    let args =
        Args::parse_from(["soak", "--incidents", "100", "--faults", "10", "--seed", "5", "--fingerprints", "16"]);
    let history = record(&args).await?;
    let verdict = judge(&history);
    let path = repository().join("target/soak/e2e.jsonl");
    history.write(&path)?;
    ensure!(verdict.is_exact(), "{}\nthe history is in {}", text(&history, &verdict), path.display());
    assert!(verdict.totals.incidents >= 100, "{:?}", verdict.totals);
    assert!(history.faults.len() >= 10, "the nemesis did strike: {:?}", history.faults);
    assert_eq!(judge(&History::read(&path)?), verdict);
    Ok(())
}

#[tokio::test]
async fn a_sidecar_whose_wall_clock_jumps_names_by_it_and_works_on() -> Result<()> {
    let rig = Rig::replicas(1).with_clocks().start().await?;
    for minutes in [50, -50] {
        rig.sidecar(0).clock().set(SignedDuration::from_mins(minutes))?;
        let incident = Incident::new("prod", if minutes > 0 { "ahead" } else { "behind" });
        assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
        let rr = rig.rrs_of(&incident).await?.pop().context("no RR")?;
        let ahead = rr.spec.received_time.0.duration_since(Timestamp::now());
        let wrong = (ahead - SignedDuration::from_mins(minutes)).abs();
        assert!(wrong < SignedDuration::from_mins(1), "{ahead:?}");
    }
    Ok(())
}
