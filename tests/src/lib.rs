//! Rigs for the end-to-end tests, the demo and the benchmarks: real Envoy, real kube-apiserver, real sidecars.
