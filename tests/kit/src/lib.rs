//! Rigs for the end-to-end tests, the soak, the demo and the benchmarks: real Envoy, real kube-apiserver, real
//! sidecars.
//!
//! Start with [`rig`]: it starts everything in one line, and its example is a whole test.
//!
//! | module | what it is |
//! |---|---|
//! | [`cluster`] | kube-apiserver and etcd, and a namespace with the sidecar's rights for each test |
//! | [`fault_proxy`] | a proxy between a replica and the API server that injects faults and records all API calls |
//! | [`sidecar`], [`envoy`] | the shipped programs with the shipped configurations, on reserved ports |
//! | [`alertmanager`] | a real Alertmanager that notifies them |
//! | [`prometheus`] | a real Prometheus that scrapes them, and promtool |
//! | [`clock`] | a wall clock for one sidecar that the test sets |
//! | [`storm`], [`payload`], [`client`] | senders and their payloads |
//! | [`kubernaut`] | the API calls of kubernaut's gateway, played step by step |
//! | [`exposition`] | reads metrics |
//! | [`helm`], [`registry`] | real Helm with the repository's charts, and a registry of images |
//! | [`service`], [`process`], [`ports`], [`scratch`] | child processes, reserved ports, temporary directories |
//! | [`poll`] | waits for the state of another program |
//! | [`built`] | find or build our own programs; the crate `onceway-tools` does that for the servers |

pub mod alertmanager;
pub mod built;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod collector;
pub mod envoy;
pub mod exposition;
pub mod fault_proxy;
pub mod helm;
pub mod kubernaut;
pub mod payload;
pub mod poll;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod registry;
pub mod rig;
pub mod scratch;
pub mod service;
pub mod sidecar;
pub mod storm;
