//! A server that can be killed and started again in its place: the same command, the same ports, the same data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::Process;

/// How long an ended process may take to be gone; a SIGKILL takes milliseconds.
const KILL_LIMIT: Duration = Duration::from_secs(10);

type MakeCommand = Box<dyn Fn() -> Command + Send + Sync>;

/// A server process and how it is started.
pub struct Service {
    name: String,
    log: PathBuf,
    command: MakeCommand,
    process: Mutex<Option<Arc<Process>>>,
}

impl Service {
    /// Starts the server that `command` describes; its output goes to `<dir>/<name>.log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &str, dir: &Path, command: impl Fn() -> Command + Send + Sync + 'static) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let service = Self { name: name.to_owned(), log, command: Box::new(command), process: Mutex::default() };
        service.restart()?;
        Ok(service)
    }

    /// Starts the server again after it has ended.
    ///
    /// # Errors
    /// If it still runs or cannot be started.
    pub fn restart(&self) -> Result<()> {
        let mut slot = self.slot();
        ensure!(slot.as_ref().is_none_or(|process| !process.is_running()), "{} runs already", self.name);
        *slot = Some(Arc::new(Process::spawn(&self.name, (self.command)(), &self.log)?));
        Ok(())
    }

    /// The process that runs now, or ran last.
    ///
    /// # Errors
    /// Never once the service has been started.
    pub fn process(&self) -> Result<Arc<Process>> {
        self.slot().clone().with_context(|| format!("{} was never started", self.name))
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If it is still there after ten seconds.
    pub async fn kill(&self) -> Result<()> {
        let process = self.process()?;
        process.kill();
        process.wait(KILL_LIMIT).await.map(drop)
    }

    /// Asks the server to end with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// If it still runs after `limit`, or ended with another status than success.
    pub async fn stop(&self, limit: Duration) -> Result<()> {
        let process = self.process()?;
        process.terminate();
        let status = process.wait(limit).await?;
        ensure!(status.success(), process.failure(&format!("ended with {status} after SIGTERM")));
        Ok(())
    }

    /// Freezes the server (SIGSTOP): it stands still with its sockets open.
    ///
    /// # Errors
    /// Never once the service has been started.
    pub fn freeze(&self) -> Result<()> {
        self.process().map(|process| process.freeze())
    }

    /// Thaws a frozen server (SIGCONT).
    ///
    /// # Errors
    /// Never once the service has been started.
    pub fn thaw(&self) -> Result<()> {
        self.process().map(|process| process.thaw())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
