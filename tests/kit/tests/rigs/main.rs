//! The rigs themselves, against the real servers: a test that trusts them is worth no more than they are.

mod cluster;
mod envoy;
mod fault_proxy;
mod process;
mod rig;
