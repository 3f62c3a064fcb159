//! The page as `onceway explain --serve` serves it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::built::{page, sidecar};
use onceway_kit::process::Process;
use onceway_kit::scratch::Scratch;

/// How long the program may take to listen, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `onceway explain --serve`, on a port that the kernel chose.
pub struct Served {
    url: String,
    _process: Process,
    _scratch: Scratch,
}

impl Served {
    /// Starts it, with further arguments.
    ///
    /// # Errors
    /// If program or page cannot be built, or it does not listen.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let (program, page) = tokio::task::spawn_blocking(built).await??;
        let scratch = Scratch::new("page")?;
        let mut command = Command::new(program);
        command.args(["explain", "--serve=127.0.0.1:0", "--page"]).arg(page).args(arguments);
        let process = Process::spawn("onceway explain", command, &scratch.path().join("explain.log"))?;
        let line = || process.tail().lines().find(|line| line.starts_with("http://")).map(str::to_owned);
        process.until_ready(LIMIT, async || line().is_some()).await?;
        let line = line().context("it says no address")?;
        let (url, _) = line.split_once(' ').context("it says nothing about its address")?;
        Ok(Self { url: url.to_owned(), _process: process, _scratch: scratch })
    }

    /// The page's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn built() -> Result<(PathBuf, PathBuf)> {
    Ok((sidecar()?, page::path()?))
}
