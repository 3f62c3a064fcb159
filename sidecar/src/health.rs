//! Liveness and readiness.
//!
//! Ready means: started, the RRs listed (waited for up to a limit), all permissions granted, the CRD served, not draining.
//! An outage of the API server does not end readiness: it would empty the load balancer and move every key, and no replica
//! would do better than another.

mod condition;
pub mod permissions;
mod readiness;
pub mod targets;

pub use self::condition::Condition;
pub use self::readiness::{Pending, Readiness};
