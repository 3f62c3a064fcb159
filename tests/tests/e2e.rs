//! The whole path on real input: real sidecars, a real kube-apiserver behind a fault proxy for each of them, and real
//! Envoy where a test is about affinity or about the path from the edge.

#[path = "e2e/affinity.rs"]
mod affinity;
#[path = "e2e/alertmanager.rs"]
mod alertmanager;
#[path = "e2e/anchor.rs"]
mod anchor;
#[path = "e2e/bad_days.rs"]
mod bad_days;
#[path = "e2e/calls.rs"]
mod calls;
#[path = "e2e/crd.rs"]
mod crd;
#[path = "e2e/edge.rs"]
mod edge;
#[path = "e2e/faults.rs"]
mod faults;
#[path = "e2e/hardship.rs"]
mod hardship;
#[path = "e2e/housekeeping.rs"]
mod housekeeping;
#[path = "e2e/index.rs"]
mod index;
#[path = "e2e/intake.rs"]
mod intake;
#[path = "e2e/lifecycle.rs"]
mod lifecycle;
#[path = "e2e/outage.rs"]
mod outage;
#[path = "e2e/races.rs"]
mod races;
#[path = "e2e/reload.rs"]
mod reload;
#[path = "e2e/replicas.rs"]
mod replicas;
#[path = "e2e/rights.rs"]
mod rights;
#[path = "e2e/soak.rs"]
mod soak;
#[path = "e2e/split.rs"]
mod split;
