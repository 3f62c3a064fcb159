//! The processor time of Envoy's threads, in nanoseconds: `/proc/<pid>/stat` counts in hundredths of a second, which are a
//! hundredth of all that is measured here.

use anyhow::{Result, ensure};
use procfs::process::Process;

/// The name that Envoy gives its only worker.
const WORKER: &str = "wrk:worker_0";

/// What the threads of a process have used by now, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    /// All of them.
    pub(super) all: u64,
    /// Envoy's only worker.
    pub(super) worker: u64,
    /// What that waited for a core.
    pub(super) waited: u64,
}

impl Cpu {
    /// Reads it.
    ///
    /// # Errors
    /// If the process has ended or has no such worker, or the kernel does not keep account.
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
        ensure!(has_worker, "Envoy has no thread {WORKER}, whose time is to be taken");
        Ok(cpu)
    }

    /// What was used since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            all: self.all.saturating_sub(earlier.all),
            worker: self.worker.saturating_sub(earlier.worker),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}
