//! The whole path on real input: real sidecars, a real kube-apiserver behind a fault proxy for each of them, and real
//! Envoy where a test is about affinity or about the path from the edge.

mod affinity;
mod alertmanager;
mod anchor;
mod bad_days;
mod calls;
mod clock;
mod crd;
mod edge;
mod faults;
mod hardship;
mod housekeeping;
mod index;
mod intake;
mod lifecycle;
mod outage;
mod races;
mod reload;
mod replicas;
mod rights;
mod split;
