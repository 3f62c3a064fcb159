//! The rigs themselves, against the real servers: a test that trusts them is worth no more than they are.

#[path = "rigs/cluster.rs"]
mod cluster;
#[path = "rigs/envoy.rs"]
mod envoy;
#[path = "rigs/fault_proxy.rs"]
mod fault_proxy;
#[path = "rigs/process.rs"]
mod process;
#[path = "rigs/rig.rs"]
mod rig;
