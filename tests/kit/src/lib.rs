//! Rigs for the end-to-end tests, the soak, the demo and the benchmarks: real Envoy, real kube-apiserver, real sidecars.
//!
//! Start with [`rig`]: it brings up everything in one line and shows what a test looks like. What it is made of:
//!
//! | module | what it is |
//! |---|---|
//! | [`cluster`] | kube-apiserver and etcd, and a namespace with the sidecar's rights for each test |
//! | [`fault_proxy`] | between a replica and the API server: delays, holds, refuses, cuts, loses answers; records all calls |
//! | [`sidecar`], [`envoy`] | the programs that ship, with the configurations that ship, on ports of their own |
//! | [`alertmanager`] | a real Alertmanager that notifies them |
//! | [`clock`] | a wall clock for one sidecar, to be set by the test |
//! | [`storm`], [`payload`], [`client`] | what senders do, and what they send |
//! | [`exposition`] | reads metrics |
//! | [`service`], [`process`], [`ports`], [`scratch`] | processes that die with the test, ports that cannot clash, directories that go |
//! | [`built`] | where our own programs come from; the servers come from the crate `onceway-tools` |

pub mod alertmanager;
pub mod built;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod envoy;
pub mod exposition;
pub mod fault_proxy;
pub mod payload;
pub mod ports;
pub mod process;
pub mod rig;
pub mod scratch;
pub mod service;
pub mod sidecar;
pub mod storm;
