//! Metrics of the process (`process_*`), as Prometheus' client libraries name them. They are read when they are asked for.

use std::fmt;

use procfs::process::{LimitValue, Process, Stat};
use procfs::{ProcResult, boot_time_secs, ticks_per_second};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The names, without the suffix of counters.
pub(super) const PROCESS_METRICS: [&str; 8] = [
    "process_cpu_seconds",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_threads",
    "process_open_fds",
    "process_max_fds",
    "process_virtual_memory_max_bytes",
];

/// Reads `/proc/self`.
#[derive(Debug, Default)]
pub(super) struct ProcessMetrics;

/// What is read.
struct Usage {
    cpu_seconds: f64,
    /// In seconds since 1970.
    started: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: i64,
    open_files: usize,
    max_files: Option<u64>,
    max_virtual_bytes: Option<u64>,
}

impl Usage {
    fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let (stat, limits) = (process.stat()?, process.limits()?);
        let seconds = |ticks: u64| ticks as f64 / ticks_per_second() as f64;
        let Stat { utime, stime, starttime, vsize, num_threads, .. } = stat;
        Ok(Self {
            cpu_seconds: seconds(utime) + seconds(stime),
            started: boot_time_secs()? as f64 + seconds(starttime),
            resident_bytes: process.status()?.vmrss.unwrap_or_default() * 1024,
            virtual_bytes: vsize,
            threads: num_threads,
            open_files: process.fd_count()?,
            max_files: limited(limits.max_open_files.soft_limit),
            max_virtual_bytes: limited(limits.max_address_space.soft_limit),
        })
    }
}

/// The limit; none if there is none.
fn limited(limit: LimitValue) -> Option<u64> {
    match limit {
        LimitValue::Value(value) => Some(value),
        LimitValue::Unlimited => None,
    }
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        // Without /proc the other metrics are still worth having.
        let Ok(usage) = Usage::read() else { return Ok(()) };
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let help = "Time that the process has computed, in user and in system mode, in seconds.";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", usage.started)?;
        gauge("process_resident_memory_bytes", "Memory of the process in RAM.", usage.resident_bytes as f64)?;
        gauge("process_virtual_memory_bytes", "Addresses that the process has mapped.", usage.virtual_bytes as f64)?;
        gauge("process_threads", "Threads of the process.", usage.threads as f64)?;
        gauge("process_open_fds", "Open files of the process, connections included.", usage.open_files as f64)?;
        if let Some(max) = usage.max_files {
            gauge("process_max_fds", "Files that the process may have open.", max as f64)?;
        }
        if let Some(max) = usage.max_virtual_bytes {
            gauge("process_virtual_memory_max_bytes", "Addresses that the process may map.", max as f64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn this_process_is_read() {
        let usage = Usage::read().unwrap();
        let now = jiff::Timestamp::now().as_second() as f64;
        assert!(usage.started > now - 86_400.0 && usage.started <= now + 2.0, "{} {now}", usage.started);
        assert!(usage.cpu_seconds >= 0.0 && usage.threads >= 1 && usage.open_files >= 3);
        assert!(usage.resident_bytes > 1024 * 1024 && usage.virtual_bytes >= usage.resident_bytes);
        assert!(usage.max_files.is_none_or(|max| max >= 3));
    }
}
