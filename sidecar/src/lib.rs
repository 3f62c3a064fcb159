//! The sidecar: a server that turns every storm of alerts into exactly one `RemediationRequest` per incident.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod app;
pub mod auth;
pub mod budgets;
mod causes;
pub mod check_config;
pub mod cli;
mod cluster_access;
pub mod config;
pub mod doctor;
pub mod env;
pub mod executor;
pub mod explain;
pub mod gc;
pub mod health;
pub mod http;
mod http_request;
pub mod incident;
pub mod incident_tasks;
pub mod index;
pub mod install_filter;
pub mod logging;
pub mod metrics;
mod moving_average;
mod printable;
pub mod rr;
pub mod scope;
pub mod send_test;
mod sender_token;
pub mod shutdown;
pub mod tls;
pub mod traces;
pub mod watching;
pub mod workload;

// Doubles never ship, so they are not in `src`. Unit tests of several modules share them.
#[cfg(test)]
#[path = "../tests/support/doubles.rs"]
mod doubles;
