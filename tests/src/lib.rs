//! Rigs for the end-to-end tests, the demo and the benchmarks: real Envoy, real kube-apiserver, real sidecars.

pub mod cluster;
pub mod fault_proxy;
pub mod ports;
pub mod process;
pub mod scratch;
pub mod service;
pub mod tools;
pub mod wasm_host;
