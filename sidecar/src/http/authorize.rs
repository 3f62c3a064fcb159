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

/// The incidents that a sender may not signal about, or for whom that is not known.
pub(super) struct Refused {
    /// Their outcomes, each with its place.
    pub(super) outcomes: Vec<(usize, SignalOutcome)>,
    /// The firing signals of those for whom that is not known.
    pub(super) undecided: u64,
}

/// Removes the incidents that `sender` may not signal about from `classified`.
pub(super) async fn refuse(
    auth: &Auth,
    sender: Option<&Arc<Sender>>,
    classified: &mut Classified,
    deadline: Instant,
) -> Refused {
    let accesses = auth.authorize(sender, &classified.scopes, deadline).await;
    let unpermitted = classified.unpermitted(&accesses);
    let is_denied = |scope: usize| accesses.get(scope) == Some(&Access::Denied);
    let undecided_ones = unpermitted.iter().filter(|incident| !is_denied(incident.scope));
    let undecided_signals = undecided_ones.map(|incident| incident.signals as u64).sum();
    let outcome = |Unpermitted { place, fingerprint, scope, .. }| {
        let denied = is_denied(scope);
        let scope = classified.scopes.get(scope).filter(|_| denied);
        (place, scope.map_or_else(|| undecided(&fingerprint), |scope| denial(&fingerprint, scope)))
    };
    Refused { outcomes: unpermitted.into_iter().map(outcome).collect(), undecided: undecided_signals }
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
