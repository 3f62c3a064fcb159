//! A server that can be killed and restarted with the same command, ports and data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::Process;

/// How long a killed process may take to end.
const KILL_LIMIT: Duration = Duration::from_secs(10);

type MakeCommand = Box<dyn Fn() -> Command + Send + Sync>;

/// A server process and its command.
pub struct Service {
    name: String,
    log: PathBuf,
    command: MakeCommand,
    process: Mutex<Option<Arc<Process>>>,
}

impl Service {
    /// Starts the server that `command` describes. Its output goes to `<dir>/<name>.log`.
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
        ensure!(slot.as_ref().is_none_or(|process| !process.is_running()), "{} is already running", self.name);
        *slot = Some(Arc::new(Process::spawn(&self.name, (self.command)(), &self.log)?));
        Ok(())
    }

    /// The current or last process.
    ///
    /// # Errors
    /// None once the service has been started.
    pub fn process(&self) -> Result<Arc<Process>> {
        self.slot().clone().with_context(|| format!("{} was never started", self.name))
    }

    /// Sends SIGKILL and waits until the process has ended.
    ///
    /// # Errors
    /// If it still runs after ten seconds.
    pub async fn kill(&self) -> Result<()> {
        let process = self.process()?;
        process.kill();
        process.wait(KILL_LIMIT).await.map(drop)
    }

    /// Sends SIGTERM and waits until the process has ended.
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

    /// Freezes the server (SIGSTOP); its sockets stay open.
    ///
    /// # Errors
    /// None once the service has been started.
    pub fn freeze(&self) -> Result<()> {
        self.process().map(|process| process.freeze())
    }

    /// Thaws a frozen server (SIGCONT).
    ///
    /// # Errors
    /// None once the service has been started.
    pub fn thaw(&self) -> Result<()> {
        self.process().map(|process| process.thaw())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
