//! The sidecar: a server that turns every storm of alerts into exactly one `RemediationRequest` per incident.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod app;
pub mod auth;
pub mod budgets;
pub mod cli;
pub mod config;
pub mod env;
pub mod executor;
pub mod explain;
pub mod gc;
pub mod health;
pub mod http;
pub mod incident;
pub mod incident_tasks;
pub mod index;
pub mod install_filter;
pub mod logging;
pub mod metrics;
mod moving_average;
pub mod rr;
pub mod scope;
pub mod shutdown;
pub mod tls;
pub mod watching;
pub mod workload;

// Doubles never ship, so they are not in `src`. Unit tests of several modules share them.
#[cfg(test)]
#[path = "../tests/support/doubles.rs"]
mod doubles;
