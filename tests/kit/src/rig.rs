//! A whole system: a namespace, a sidecar and a fault proxy per replica, and Envoy in front if wanted.
//!
//! ```no_run
//! # async fn a_test() -> anyhow::Result<()> {
//! use onceway_kit::fault_proxy::{Fault, RRS, Rule, Verb};
//! use onceway_kit::payload::Incident;
//! use onceway_kit::rig::{Rig, RrExt};
//!
//! let rig = Rig::replicas(3).start().await?;
//! let incident = Incident::new("prod", "payment-api");
//!
//! // The fault proxy holds replica 0's CREATE.
//! let hold = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
//! let url = rig.sidecar(0).url();
//! let held = tokio::spawn(rig.client().clone().alert(url, incident.webhook(0)));
//! hold.reached().await;
//!
//! // Another replica takes over; then the late CREATE reaches the API server.
//! assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
//! hold.release();
//! assert_eq!(held.await??.status, 202);
//! let rrs = rig.rrs_of(&incident).await?;
//! assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
//!
//! // A storm through Envoy if the rig has one, else over the replicas at random.
//! let report = rig.storm(vec![incident]).signals(100).run().await;
//! rig.verdict(&report).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Rigs share one API server, each in its own namespace; a test that stops, freezes or kills the API server or etcd
//! uses [`RigBuilder::own_cluster`]. `rig.record()` is the history of all API calls, by replica.

mod builder;
mod owners;
mod rrs;
mod running;
mod verdict;

pub use self::builder::RigBuilder;
pub use self::owners::Owners;
pub use self::rrs::{Rr, RrExt};
pub use self::running::Rig;
pub use self::verdict::{IncidentVerdict, Verdict};
