//! Tests of the rigs themselves, with the real servers.

mod cluster;
mod envoy;
mod fault_proxy;
mod kubeconfig;
mod process;
mod rig;
