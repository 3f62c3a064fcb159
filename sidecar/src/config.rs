//! The configuration: one YAML file in which every key has a default. No key turns locking off.
//!
//! A field's doc comment is also its documentation for operators: `--print-default-config` prints it above the key.
//! Durations are written as "20ms", "8s" or "1m 30s".

mod auth;
mod check;
mod digest;
mod error;
mod events;
mod freshness;
mod inspect;
mod kubernaut;
mod limits;
mod load;
mod print;
mod profile;
mod scope;
mod sections;
mod tls;
mod tracing;

pub use self::auth::{Auth, AuthMode, Authorization};
pub use self::digest::short;
pub use self::error::ConfigError;
pub use self::events::{Events, NormalEvents};
pub use self::freshness::Freshness;
pub use self::inspect::{ConfigProblem, Difference};
pub use self::limits::{DEADLINE_GRACE, Limits};
pub use self::print::{default_yaml, yaml};
pub use self::profile::Profile;
pub use self::scope::Scope;
pub use self::sections::{
    Batching, Config, Duplicates, Housekeeping, Index, Lease, Listen, Log, LogFormat, Migration, Shutdown,
};
pub use self::tls::Tls;
pub use self::tracing::{Otlp, Sampling, Tracing};

#[cfg(test)]
mod tests;
