//! Refuses senders: whole requests without valid credentials, and incidents that a sender may not signal about.
//!
//! The texts name nothing but the sender's own signals.

use std::sync::Arc;

use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::{Failure, SignalOutcome};
use onceway_signal::truncate::truncate_quoted;
use tokio::time::Instant;

use super::admission::RETRY_AFTER_S;
use super::classify::{Classified, Unpermitted};
use crate::auth::{Access, AccessScope, Auth, Sender, Unauthenticated};

impl From<Unauthenticated> for Problem {
    fn from(error: Unauthenticated) -> Self {
        match error {
            Unauthenticated::Unavailable => {
                Self::new(ProblemKind::AuthUnavailable, error.to_string()).retry_after(RETRY_AFTER_S)
            }
            _ => Self::new(ProblemKind::Unauthenticated, error.to_string()),
        }
    }
}

/// Removes the incidents that `sender` may not signal about from `classified`; their outcomes, each with its place.
pub(super) async fn refuse(
    auth: &Auth,
    sender: Option<&Arc<Sender>>,
    classified: &mut Classified,
    deadline: Instant,
) -> Vec<(usize, SignalOutcome)> {
    let accesses = auth.authorize(sender, &classified.scopes, deadline).await;
    let unpermitted = classified.unpermitted(&accesses);
    let outcome = |Unpermitted { place, fingerprint, scope }| {
        let denied = accesses.get(scope) == Some(&Access::Denied);
        let scope = classified.scopes.get(scope).filter(|_| denied);
        (place, scope.map_or_else(|| undecided(&fingerprint), |scope| denial(&fingerprint, scope)))
    };
    unpermitted.into_iter().map(outcome).collect()
}

fn denial(fingerprint: &impl ToString, scope: &AccessScope) -> SignalOutcome {
    let reason = match scope {
        AccessScope::Namespace(name) => {
            format!("the sender may not signal about namespace {}", truncate_quoted(name.as_bytes()))
        }
        AccessScope::Cluster => "the sender may not signal about objects without a namespace".to_owned(),
    };
    SignalOutcome::denied(Some(fingerprint.to_string()), ProblemKind::Forbidden, reason)
}

fn undecided(fingerprint: &impl ToString) -> SignalOutcome {
    let message = "the sender's rights could not be checked; send the signal again";
    let failure = Failure { problem: ProblemKind::AuthUnavailable, retry_after_seconds: RETRY_AFTER_S };
    SignalOutcome::failed(fingerprint.to_string(), message.to_owned(), failure)
}
