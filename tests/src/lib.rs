//! Rigs for the end-to-end tests, the demo and the benchmarks: real Envoy, real kube-apiserver, real sidecars.

pub mod built;
pub mod client;
pub mod cluster;
pub mod demo;
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
pub mod tools;
pub mod wasm_host;
