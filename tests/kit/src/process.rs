//! Child processes that end with the test process, however it ends, and that can be frozen, thawed and killed.
//!
//! Three things end a child: dropping its [`Process`], a signal sent by handle, and the death of the test process
//! itself, even by SIGKILL (the kernel's parent-death signal). Each child has its own process group, so that a Ctrl-C
//! in the terminal reaches the parent alone, which then ends its children in order.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

mod spawner;

/// Bytes of a log's end that are read for its last lines.
const TAIL_BYTES: usize = 16 * 1024;
/// Last lines of the log that an error or a failing test shows.
const TAIL_LINES: usize = 25;

/// A running (or ended) child process and its log.
pub struct Process {
    name: String,
    pid: Pid,
    log: PathBuf,
    exit: watch::Receiver<Option<ExitStatus>>,
    // The child is not reaped while this is locked, so that its pid cannot be reused.
    reaping: Arc<Mutex<()>>,
}

impl Process {
    /// Starts `command`, appending its stdout and stderr to the file `log`.
    ///
    /// # Errors
    /// If the log cannot be written or the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out: File = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let program = command.get_program().display().to_string();
        let child = spawner::spawn(command).with_context(|| format!("cannot start {name} ({program})"))?;
        let pid = Pid::from_raw(child.id().try_into()?);
        let reaping = Arc::new(Mutex::new(()));
        let exit = watch_exit(child, pid, Arc::clone(&reaping))?;
        Ok(Self { name: name.to_owned(), pid, log: log.to_owned(), exit, reaping })
    }

    /// Its name in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The file that holds what the process wrote to stdout and stderr.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the process has not ended.
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Sends SIGKILL: the process ends at once, without any cleanup.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Sends SIGTERM: asks the process to drain and end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends SIGSTOP: the process stops running, its sockets stay open.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Sends SIGCONT: a frozen process continues.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// If it still runs after `limit`; the error shows its last lines.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        match tokio::time::timeout(limit, self.exited()).await {
            Ok(status) => Ok(status),
            Err(_) => bail!(self.failure(&format!("still runs after {limit:?}"))),
        }
    }

    /// Waits, without a bound, until the process has ended.
    pub async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The reaping thread sends before it ends; it is gone only if the whole process ends.
            Err(_) => ExitStatus::default(),
        }
    }

    /// Runs `ready` again and again until it is true.
    ///
    /// # Errors
    /// If the process ends first, or `limit` passes; the error shows the process's last lines.
    pub async fn until_ready(&self, limit: Duration, mut ready: impl AsyncFnMut() -> bool) -> Result<()> {
        // Another program's readiness is not an event to await, so it is polled.
        const ASK_EVERY: Duration = Duration::from_millis(20);
        let poll = async {
            while !ready().await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::select! {
            () = poll => Ok(()),
            status = self.exited() => bail!(self.failure(&format!("ended before it was ready ({status})"))),
            () = tokio::time::sleep(limit) => bail!(self.failure(&format!("is not ready after {limit:?}"))),
        }
    }

    /// An error about this process that shows the last lines of its log.
    pub fn failure(&self, what: &str) -> anyhow::Error {
        anyhow!("{} {what}; the last lines of {}:\n{}", self.name, self.log.display(), self.tail())
    }

    /// The last lines of the log.
    pub fn tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    fn signal(&self, signal: Signal) {
        let _not_reaped_meanwhile = self.reaping.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.is_running() {
            // The only possible error: the process has ended and is not reaped yet.
            let _ = kill(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // A test that returns an error drops its processes before the harness knows. The harness shows output of failed
        // tests only, so the last lines can always be printed.
        if std::thread::panicking() || is_of_a_test(&std::thread::current()) {
            eprintln!("--- {}: the last lines of {}\n{}", self.name, self.log.display(), self.tail());
        }
    }
}

/// Raises this process's limit of open files, which children that start later inherit, to what the system allows: tests of
/// a thousand connections need more than the usual 1,024.
///
/// # Errors
/// If the system does not say what it allows.
pub fn raise_file_limit() -> Result<()> {
    let (_, allowed) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed).context("the limit of open files cannot be raised")
}

/// Whether the thread runs a test: the harness names it after the test's path.
fn is_of_a_test(thread: &Thread) -> bool {
    thread.name().is_some_and(|name| name.contains("::"))
}

/// Reaps the child on its own thread: the child outlives the runtime of the test that started it.
fn watch_exit(mut child: Child, pid: Pid, reaping: Arc<Mutex<()>>) -> Result<watch::Receiver<Option<ExitStatus>>> {
    let (sender, receiver) = watch::channel(None);
    let reap = move || {
        // Waits without reaping, so that the lock is held only for a moment.
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let _guard = reaping.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        sender.send_replace(Some(child.wait().unwrap_or_default()));
    };
    std::thread::Builder::new().name(format!("reap-{pid}")).spawn(reap)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests;
