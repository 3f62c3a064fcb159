//! Prometheus' own tool for rules and metrics.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use onceway_tools::Tool;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::cluster::deploy::repository;

/// Runs promtool with these arguments from the repository's root and `input` as its standard input; returns what it prints.
///
/// # Errors
/// If it cannot be built, or fails; the error has its reason.
pub async fn promtool(arguments: &[&str], input: &str) -> Result<String> {
    let program = tokio::task::spawn_blocking(|| Tool::Promtool.get()).await??;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().context("cannot start promtool")?;
    let mut stdin = promtool.stdin.take().context("promtool without standard input")?;
    let text = input.to_owned();
    // Beside its output: neither may wait for the other.
    let writing = tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    let output = promtool.wait_with_output().await?;
    // An error is that it did not read everything, which its status tells, too.
    let _ = writing.await?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    ensure!(output.status.success(), "promtool {}: {printed}", arguments.join(" "));
    Ok(printed)
}
