//! The sidecar: a native server that turns every storm of alerts into exactly one `RemediationRequest` per incident.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod config;
pub mod env;
pub mod health;
pub mod incident;
pub mod metrics;
pub mod rr;
