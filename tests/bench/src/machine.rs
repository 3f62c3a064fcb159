//! Describes the machine and versions of a run: figures depend on them, ratios less.

use std::process::Command;
use std::thread::available_parallelism;

use onceway_kit::cluster::deploy::repository;
use onceway_tools::Tool;
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

/// The measured commit, marked if the working tree was dirty.
fn commit() -> String {
    let git =
        Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).current_dir(repository()).output();
    let commit =
        git.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    commit.map_or_else(|| "unknown commit".to_owned(), |commit| format!("commit {}", commit.trim()))
}

/// The commit, the machine and the servers, in one line.
pub(super) fn text() -> String {
    let unknown = || "unknown".to_owned();
    let cores = available_parallelism().map_or(1, usize::from);
    let cpu = CpuInfo::current().ok().and_then(|info| info.model_name(0).map(str::to_owned)).unwrap_or_else(unknown);
    let memory = Meminfo::current().map_or_else(|_| unknown(), |info| format!("{} GiB", info.mem_total >> 30));
    // Other processes are the first suspect when figures scatter.
    let load = LoadAverage::current().map_or_else(|_| unknown(), |load| load.one.to_string());
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!(
        "{today}, {}, {cores} cores ({cpu}) and {memory} shared by all components, load {load} at the start; Envoy {}, \
         kube-apiserver {}, etcd {} without fsync",
        commit(),
        Tool::Envoy.version(),
        Tool::KubeApiserver.version(),
        Tool::Etcd.version()
    )
}
