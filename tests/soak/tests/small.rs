//! A short soak, so that every change tests the nemesis and the checker. `cargo xtask soak` runs long ones.

use anyhow::{Result, ensure};
use clap::Parser;
use onceway_kit::cluster::deploy::repository;
use onceway_soak::{Args, History, judge, record, text};

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
    assert!(history.faults.len() >= 10, "too few faults: {:?}", history.faults);
    assert_eq!(judge(&History::read(&path)?), verdict);
    Ok(())
}
