//! A network of our own: a loopback interface and nothing else. It has addresses for pods ([`PODS`]), which an API server, other
//! than those of 127/8, takes for endpoints of a Service.
//!
//! Control planes and their proxies listen at fixed ports of every address, as they do in their containers. Here they may:
//! nobody else is on this network, and nothing outside the machine reaches it. So two test processes can run side by side
//! (two gateways of one kind in one process cannot), and no test can send anything anywhere.

use std::fs;
use std::net::Ipv4Addr;
use std::process;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use onceway_kit::sidecar::PodNetwork;

mod interface;

/// The pods of this network, with ports that no control plane uses.
pub const PODS: PodNetwork =
    PodNetwork { first: Ipv4Addr::new(10, 244, 0, 1), signals: 18_080, health: 18_081, metrics: 18_090 };
/// The mask of their network.
const PODS_MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 0, 0);
/// The only interface of a new network.
const LOOPBACK: &str = "lo";

/// Puts this thread, and all threads and processes that it starts from now on, into a network of its own. A process calls it
/// first of all, before it has other threads. Fetch and build programs before: there is no network afterwards.
///
/// # Errors
/// If the system does not allow it: that takes root, or user namespaces for everybody.
pub fn enter() -> Result<()> {
    let created = if geteuid().is_root() { unshare(CloneFlags::CLONE_NEWNET) } else { as_root_of_nothing() };
    created.context("no network namespace can be created: run as root, or allow user namespaces")?;
    interface::bring_up(PODS.first, PODS_MASK).context("the loopback interface of the new network cannot be started")
}

/// Requires what [`enter`] makes.
///
/// # Errors
/// If this thread's network has more than a loopback interface.
pub fn require() -> Result<()> {
    let interfaces = fs::read_to_string("/proc/thread-self/net/dev")?;
    // Two lines of headings.
    let others = interfaces.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim);
    let others: Vec<&str> = others.filter(|name| *name != LOOPBACK).collect();
    ensure!(
        others.is_empty(),
        "a gateway listens at fixed ports of every address, and this network is not its own ({}): call isolation::enter() \
         first in main, or run the test below `unshare --net`",
        others.join(", ")
    );
    Ok(())
}

/// A user may create a network in a user namespace, in which it is root.
fn as_root_of_nothing() -> nix::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let own = format!("/proc/{}", process::id());
    let write = |file: &str, text: String| fs::write(format!("{own}/{file}"), text).map_err(nix_error);
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))
}

fn nix_error(error: std::io::Error) -> nix::Error {
    error.raw_os_error().map_or(nix::Error::UnknownErrno, nix::Error::from_raw)
}
