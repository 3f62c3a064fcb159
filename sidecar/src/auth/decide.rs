//! Decides about senders, from the cache or by asking the API server.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::HeaderMap;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::credentials::{Token, TokenDigest, Unauthenticated};
use super::review::{Question, Review, Undecided, Verdict};
use super::scope::AccessScope;
use super::sender::Sender;
use super::strangers::Strangers;
use super::verdicts::{Found, Verdicts};
use crate::config::{self, Authorization};
use crate::metrics::{AuthCheck, Metrics};

/// Senders that are cached, about 2 KiB each.
const MAX_SENDERS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Invalid tokens that are cached, by their hashes.
const MAX_INVALID_TOKENS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Pairs of sender and scope that are cached as allowed, and as many as denied.
const MAX_ACCESSES: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
/// Reviews in flight for one request, of those that a replica may have: one request must not use them all.
const MAX_REVIEWS_PER_REQUEST: usize = 4;
/// A request about more scopes than this is checked for the whole cluster first: who may signal about everything costs one
/// review.
const MANY_SCOPES: usize = 4;

/// Whether a sender may signal about a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// The API server did not decide.
    Unavailable,
}

/// Decides who may signal about what. Without a gate everybody may signal about everything.
pub struct Auth(Option<Gate>);

struct Gate {
    review: Arc<dyn Review>,
    authorization: Authorization,
    ttl: Duration,
    strangers: Strangers,
    senders: Verdicts<TokenDigest, Arc<Sender>>,
    accesses: Verdicts<([u8; 32], Question), ()>,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// `auth.mode: none`: everybody may signal about everything.
    pub fn disabled(metrics: &Metrics) -> Self {
        warn!(
            event = "auth_disabled",
            "auth.mode is none: whoever reaches the signal port can start repairs of everything in the cluster"
        );
        metrics.auth.disabled();
        Self(None)
    }

    /// Decides by `review`.
    pub fn new(review: Arc<dyn Review>, config: &config::Auth, metrics: Arc<Metrics>) -> Self {
        Self(Some(Gate {
            review,
            authorization: config.authorization,
            ttl: config.cache_ttl,
            strangers: Strangers::new(),
            senders: Verdicts::new(MAX_SENDERS, MAX_INVALID_TOKENS),
            accesses: Verdicts::new(MAX_ACCESSES, MAX_ACCESSES),
            metrics,
        }))
    }

    /// The sender of a request with these headers; `None` if nobody is authenticated.
    ///
    /// # Errors
    /// [`Unauthenticated`]
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Arc<Sender>>, Unauthenticated> {
        match &self.0 {
            None => Ok(None),
            Some(gate) => gate.authenticate(headers).await.map(Some),
        }
    }

    /// Whether `sender` may signal about each of `scopes`, in their order. What is not decided by `deadline` is
    /// unavailable.
    pub async fn authorize(
        &self,
        sender: Option<&Arc<Sender>>,
        scopes: &[AccessScope],
        deadline: Instant,
    ) -> Vec<Access> {
        match (&self.0, sender) {
            (None, _) => vec![Access::Allowed; scopes.len()],
            // Not reached: `authenticate` returns a sender, or fails.
            (Some(_), None) => vec![Access::Denied; scopes.len()],
            (Some(gate), Some(sender)) => gate.authorize(sender, scopes, deadline).await,
        }
    }
}

impl Gate {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Sender>, Unauthenticated> {
        let token = Token::of(headers).inspect_err(|_| {
            self.metrics.auth.result(AuthCheck::Token, "denied");
        })?;
        let (digest, review, strangers) = (token.digest(), Arc::clone(&self.review), self.strangers.clone());
        let ask = |was_accepted: bool| {
            let valid_for = token.valid_for(Timestamp::now()).unwrap_or(Duration::MAX);
            let answer = async move {
                let _place = if was_accepted { None } else { Some(strangers.place().await?) };
                Ok(match review.token(token.as_str()).await? {
                    Verdict::Allowed(sender) => Verdict::Allowed(Arc::new(sender)),
                    Verdict::Denied => Verdict::Denied,
                })
            };
            (self.ttl.min(valid_for), answer)
        };
        let found = self.senders.get(digest, ask).await;
        match self.measured(AuthCheck::Token, found) {
            Ok(Verdict::Allowed(sender)) => Ok(sender),
            Ok(Verdict::Denied) => Err(Unauthenticated::Invalid),
            Err(Undecided { .. }) => Err(Unauthenticated::Unavailable),
        }
    }

    async fn authorize(&self, sender: &Arc<Sender>, scopes: &[AccessScope], deadline: Instant) -> Vec<Access> {
        let all = match self.authorization {
            Authorization::Gateway if !scopes.is_empty() => {
                Some(self.access(sender, Question::Gateway, deadline).await)
            }
            Authorization::Signals if scopes.len() > MANY_SCOPES => {
                let access = self.access(sender, Question::Signal(AccessScope::Cluster), deadline).await;
                Some(access).filter(|access| *access == Access::Allowed)
            }
            _ => None,
        };
        if let Some(access) = all {
            return vec![access; scopes.len()];
        }
        let questions: Vec<Question> = scopes.iter().cloned().map(Question::Signal).collect();
        let each = stream::iter(questions).map(|question| self.access(sender, question, deadline));
        each.buffered(MAX_REVIEWS_PER_REQUEST).collect().await
    }

    async fn access(&self, sender: &Arc<Sender>, question: Question, deadline: Instant) -> Access {
        let key = (sender.identity(), question.clone());
        let (review, sender) = (Arc::clone(&self.review), Arc::clone(sender));
        let answer = async move { review.access(&sender, &question).await };
        let found = timeout_at(deadline, self.accesses.get(key, |_| (self.ttl, answer))).await.unwrap_or_else(|_| {
            let reason = "not within limits.deadline".to_owned();
            Found { answer: Err(Undecided { reason }), hit: false }
        });
        match self.measured(AuthCheck::Access, found) {
            Ok(Verdict::Allowed(())) => Access::Allowed,
            Ok(Verdict::Denied) => Access::Denied,
            Err(Undecided { .. }) => Access::Unavailable,
        }
    }

    fn measured<V>(&self, check: AuthCheck, found: Found<V>) -> Result<Verdict<V>, Undecided> {
        let metrics = &self.metrics.auth;
        metrics.cache(check, if found.hit { "hit" } else { "miss" });
        let result = match &found.answer {
            Ok(Verdict::Allowed(_)) => "allowed",
            Ok(Verdict::Denied) => "denied",
            Err(undecided) => {
                // By the thousand in an outage, and counted.
                debug!(%undecided, check = check.as_str(), "cannot decide about a sender");
                "error"
            }
        };
        metrics.result(check, result);
        found.answer
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("enabled", &self.0.is_some()).finish()
    }
}
