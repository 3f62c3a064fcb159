//! What the API server is asked about a sender, and its answers.

use futures::future::BoxFuture;

use super::scope::AccessScope;
use super::sender::Sender;

/// What the API server decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<V> {
    /// Yes.
    Allowed(V),
    /// No.
    Denied,
}

/// The API server did not decide: no response, an error, or no permission to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server did not decide: {reason}")]
pub struct Undecided {
    /// Why; for the log alone.
    pub reason: String,
}

/// A right that a sender may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// To signal about objects of this scope.
    Signal(AccessScope),
    /// To use the gateway at all.
    Gateway,
}

/// Asks the API server. [`KubeReview`](super::KubeReview) is the one implementation that ships; tests script it.
pub trait Review: Send + Sync + 'static {
    /// Whose token this is.
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verdict<Sender>, Undecided>>;

    /// Whether the sender has this right.
    fn access<'a>(
        &'a self,
        sender: &'a Sender,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Verdict<()>, Undecided>>;
}
