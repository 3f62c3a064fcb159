//! Networks of our own: a loopback interface each and nothing else. They have addresses for pods ([`PODS`]), which an API server,
//! other than those of 127/8, takes for endpoints of a Service.
//!
//! Control planes and their proxies listen at fixed ports of every address, as they do in their containers. Here they may:
//! nobody else is on such a network, and nothing outside the machine reaches it. So two gateways can run side by side in two
//! networks (in one they cannot), and no test can send anything anywhere.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::{process, thread};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};
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

/// Lets this process create networks: users that are not root become root of a namespace in which they may. A process calls it
/// first of all, before it has other threads.
///
/// # Errors
/// If the system does not allow it: that takes root, or user namespaces for everybody.
pub fn allow() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    as_root_of_nothing().context("no network namespace can be created: run as root, or allow user namespaces")
}

/// A network. It ends with its last thread, process and value.
#[derive(Debug)]
pub struct Network(File);

impl Network {
    /// Creates one.
    ///
    /// # Errors
    /// If the system does not allow it: see [`allow`].
    pub fn new() -> Result<Self> {
        // In a thread that ends, so that the caller stays where it is.
        let created = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("no network namespace can be created")?;
            interface::bring_up(PODS.first, PODS_MASK).context("its loopback interface cannot be started")?;
            Ok(Self(File::open("/proc/thread-self/ns/net")?))
        });
        created.join().map_err(|_| anyhow!("a bug: the thread that creates a network panicked"))?
    }

    /// Puts this thread into it, with all threads and processes that it starts from now on. Fetch and build programs before: there is
    /// nobody on it to fetch from.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).context("this thread cannot enter its network")
    }
}

/// Requires that this thread is in a [`Network`].
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
        "a gateway listens at fixed ports of every address, and this network is not its own ({}): enter an \
         isolation::Network first",
        others.join(", ")
    );
    Ok(())
}

/// A user may create networks in a user namespace, in which it is root.
fn as_root_of_nothing() -> nix::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    let own = format!("/proc/{}", process::id());
    let write = |file: &str, text: String| fs::write(format!("{own}/{file}"), text).map_err(nix_error);
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))
}

fn nix_error(error: std::io::Error) -> nix::Error {
    error.raw_os_error().map_or(nix::Error::UnknownErrno, nix::Error::from_raw)
}
