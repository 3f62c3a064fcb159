//! The shipped filter under wasmtime: the same `.wasm` that Envoy loads.

mod bodies;
mod calls;
mod configuration;
mod cost;
mod faults;
mod fingerprints;
mod headers;
mod limits;
mod merged;
mod random;
mod split;
mod vectors;
