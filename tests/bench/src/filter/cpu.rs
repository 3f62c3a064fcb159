//! CPU time of Envoy's threads in nanoseconds, from `schedstat`. The 10 ms units of `/proc/<pid>/stat` would be an error of
//! about 1 % here.

use anyhow::{Result, ensure};
use procfs::process::Process;

/// Envoy's name for its only worker thread.
const WORKER: &str = "wrk:worker_0";

/// The CPU time of a process's threads so far, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    /// All threads.
    pub(super) all: u64,
    /// The worker.
    pub(super) worker: u64,
    /// The time the worker waited for a core.
    pub(super) waited: u64,
}

impl Cpu {
    /// Reads the counters.
    ///
    /// # Errors
    /// If the process has exited or has no such worker, or the kernel has no scheduler statistics.
    pub(super) fn of(pid: i32) -> Result<Self> {
        let (mut cpu, mut has_worker) = (Self::default(), false);
        for task in Process::new(pid)?.tasks()? {
            let task = task?;
            let used = task.schedstat()?;
            cpu.all += used.sum_exec_runtime;
            if task.stat()?.comm == WORKER {
                has_worker = true;
                cpu.worker += used.sum_exec_runtime;
                cpu.waited += used.run_delay;
            }
        }
        ensure!(has_worker, "Envoy has no thread {WORKER}");
        Ok(cpu)
    }

    /// The difference from `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            all: self.all.saturating_sub(earlier.all),
            worker: self.worker.saturating_sub(earlier.worker),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}
