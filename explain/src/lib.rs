//! What would become of alerts and events, without a cluster: which of them are one incident, and by which rule.
//!
//! `onceway explain` (native) and its page (WebAssembly, in a browser) run this code, which asks the code that filter and
//! sidecar run. Pure: no I/O, no clock.
//!
//! ```
//! use onceway_explain::{explain, incidents};
//! use onceway_signal::rules::Rules;
//!
//! let alerts = br#"{"alerts":[
//!     {"labels":{"alertname":"PodCrashLooping","namespace":"prod","pod":"payment-api-7d4b8c9f5d-x2k4z"}},
//!     {"labels":{"alertname":"ReplicasMismatch","namespace":"prod","deployment":"payment-api"}}]}"#;
//! let explained = explain(Rules::built_in(), alerts, None, 0, jiff::Timestamp::UNIX_EPOCH)?;
//! let incidents = incidents(&explained);
//! assert_eq!((incidents.len(), &incidents[0].alerts[..]), (1, &[0, 1][..]));
//! # Ok::<(), String>(())
//! ```

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod explained;
mod incidents;
mod input;
mod target_rules;

pub use self::explained::{Explained, explain};
pub use self::incidents::{Incident, incidents};
pub use self::target_rules::{TargetRulesError, parse_rules, rules_yaml};
