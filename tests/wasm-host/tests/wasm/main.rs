//! The filter that ships, as a module: the very `.wasm` that Envoy loads, under wasmtime.

mod bodies;
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
