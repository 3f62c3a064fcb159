//! Alerts, dashboard and runbooks: held against each other, checked by Prometheus' own tools, and proven on a running system, where
//! every fault is really caused.

mod dashboard;
mod faults;
mod metrics;
mod pages;
mod picture;
mod rules;
mod runbooks;
mod source;
mod system;
mod tls;
mod watch;
