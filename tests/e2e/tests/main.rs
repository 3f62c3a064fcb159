//! The whole path on real input: real sidecars, each behind a fault proxy to a real kube-apiserver, and real Envoy in
//! tests of affinity and of the path from the edge.

mod affinity;
mod alertmanager;
mod anchor;
mod auth;
mod budgets;
mod calls;
mod clock;
mod confinement;
mod crd;
mod disruptions;
mod edge;
mod edge_auth;
mod edge_limits;
mod faults;
mod gc;
mod helm;
mod index;
mod input;
mod intake;
mod kubernaut;
mod leaks;
mod lifecycle;
mod outage;
mod overload;
mod races;
mod reload;
mod replicas;
mod rights;
mod signal_list;
mod skew;
mod split;
mod starvation;
mod targets;
mod tls;
