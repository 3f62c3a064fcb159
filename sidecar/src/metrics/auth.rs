//! Metrics of authentication and authorization.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// What is checked of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthCheck {
    /// Whether its token is valid.
    Token,
    /// Whether it may signal about a scope.
    Access,
}

impl AuthCheck {
    const ALL: [Self; 2] = [Self::Token, Self::Access];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Access => "access",
        }
    }
}

/// Metrics of authentication and authorization.
#[derive(Debug)]
pub struct AuthMetrics {
    disabled: Gauge,
    results: Family<ResultLabels, Counter>,
    cache: Family<CacheLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    check: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    check: &'static str,
    result: &'static str,
}

impl AuthMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            disabled: registry.add(
                "auth_disabled",
                "1 with auth.mode none: whoever reaches the signal port can start repairs of everything.",
            ),
            results: registry.counters(
                "auth_results",
                "Decisions about senders, by check (token: of a request; access: to one namespace of a request) and \
                 result. An error is answered 503.",
                AuthCheck::ALL.into_iter().flat_map(|check| {
                    ["allowed", "denied", "error"].map(|result| ResultLabels { check: check.as_str(), result })
                }),
            ),
            cache: registry.counters(
                "auth_cache",
                "Decisions about senders that were known (hit), or for which the API server was asked (miss).",
                AuthCheck::ALL
                    .into_iter()
                    .flat_map(|check| ["hit", "miss"].map(|result| CacheLabels { check: check.as_str(), result })),
            ),
        }
    }

    /// Senders are not authenticated.
    pub fn disabled(&self) {
        self.disabled.set(1);
    }

    /// A decision: "allowed", "denied" or "error".
    pub fn result(&self, check: AuthCheck, result: &'static str) {
        self.results.get_or_create(&ResultLabels { check: check.as_str(), result }).inc();
    }

    /// A look into the cache: "hit" or "miss".
    pub fn cache(&self, check: AuthCheck, result: &'static str) {
        self.cache.get_or_create(&CacheLabels { check: check.as_str(), result }).inc();
    }
}
