//! The sidecar: a native server that turns every storm of alerts into exactly one `RemediationRequest` per incident.

pub mod incident;
