//! The section `auth` of the configuration.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::FlowSeq;

use super::error::ConfigError;

/// The longest time for which a right may be used after it was revoked.
const MAX_CACHE_TTL: Duration = Duration::from_secs(60);
/// Audiences of senders' tokens, and the characters of one.
const MAX_AUDIENCES: usize = 16;
const MAX_AUDIENCE: usize = 253;

/// Who may signal about what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Auth {
    /// kubernetes: senders send a token of the cluster (Authorization: Bearer), and need the right that `authorization`
    /// names. none: whoever reaches the signal port can start repairs of everything in the cluster.
    pub mode: AuthMode,
    /// signals: a sender needs the right to create signals.onceway.io in the namespace of each signal's target, and
    /// cluster-wide for targets without a namespace (ClusterRole onceway-sender of the chart). gateway: a sender
    /// needs the right to create the Service `gatewayService`, as in kubernaut, and can signal about everything.
    pub authorization: Authorization,
    /// The Service of `authorization: gateway`, in the sidecar's own namespace. It need not exist.
    pub gateway_service: String,
    /// The audiences that a sender's token may have. Empty: that of the API server.
    #[serde(serialize_with = "in_one_line")]
    pub audiences: Vec<String>,
    /// How long a sender and its rights are cached, from 1s to 60s, and no longer than its token is valid: a revoked
    /// right works no longer than this. Denials are cached for at most 10s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub cache_ttl: Duration,
}

/// How senders are authenticated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// By the API server.
    #[default]
    Kubernetes,
    /// Not at all.
    None,
}

/// Which right a sender needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Authorization {
    /// To create `signals.onceway.io` in the target's namespace.
    #[default]
    Signals,
    /// To create one Service.
    Gateway,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            mode: AuthMode::default(),
            authorization: Authorization::default(),
            gateway_service: "gateway-service".to_owned(),
            audiences: vec!["onceway".to_owned()],
            cache_ttl: MAX_CACHE_TTL,
        }
    }
}

/// The printed defaults have one key a line.
fn in_one_line<S: Serializer>(audiences: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    FlowSeq(audiences).serialize(serializer)
}

impl Auth {
    /// Checks every value against its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let error = |key, found: String, rule: String| Err(ConfigError::Range { key, found, rule });
        let named = (1..=MAX_AUDIENCE).contains(&self.gateway_service.len());
        if !named {
            let rule = format!("must be a name of 1 to {MAX_AUDIENCE} characters");
            return error("auth.gatewayService", format!("{:?}", self.gateway_service), rule);
        }
        let fits = |audience: &String| (1..=MAX_AUDIENCE).contains(&audience.chars().count());
        if self.audiences.len() > MAX_AUDIENCES || !self.audiences.iter().all(fits) {
            let rule = format!("must be at most {MAX_AUDIENCES} audiences of 1 to {MAX_AUDIENCE} characters");
            return error("auth.audiences", format!("{:?}", self.audiences), rule);
        }
        if !(Duration::from_secs(1)..=MAX_CACHE_TTL).contains(&self.cache_ttl) {
            return error("auth.cacheTtl", format!("{:?}", self.cache_ttl), "must be from 1s to 60s".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_value_out_of_range_is_rejected_with_its_key() {
        for (yaml, key) in [
            ("cacheTtl: 61s", "cacheTtl"),
            ("cacheTtl: 0s", "cacheTtl"),
            ("audiences: ['']", "audiences"),
            ("gatewayService: ''", "gatewayService"),
        ] {
            let error = Config::parse(&format!("auth: {{{yaml}}}")).unwrap_err().to_string();
            assert!(error.contains(&format!("invalid configuration: auth.{key} is ")), "{yaml}: {error}");
        }
    }

    #[test]
    fn no_other_mode_can_be_configured_by_mistake() {
        for yaml in ["auth: {mode: off}", "auth: {mode: ''}", "auth: {authorization: all}", "auth: {modes: none}"] {
            Config::parse(yaml).unwrap_err();
        }
        Config::parse("auth: {mode: none, audiences: []}").unwrap();
    }
}
