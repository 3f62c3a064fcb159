//! What a benchmark ran on: figures of another machine differ, and ratios less so.

use std::fs;
use std::thread::available_parallelism;

use crate::tools::{ENVOY, ETCD, KUBERNETES};

/// The machine and the servers, in one line.
pub(super) fn text() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    // Work of others is the first suspect when figures scatter.
    let load = fs::read_to_string("/proc/loadavg").ok();
    let load = load.as_deref().and_then(|text| text.split(' ').next()).unwrap_or("unknown");
    format!(
        "{cores} cores shared by all parts, load {load} at the start; Envoy {ENVOY}, kube-apiserver {KUBERNETES}, \
         etcd {ETCD} without fsync"
    )
}
