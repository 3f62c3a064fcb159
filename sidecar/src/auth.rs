//! Who may signal about what: authenticates senders and authorizes them for the namespaces of their signals' targets.
//!
//! The API server decides both, by a TokenReview and SubjectAccessReviews. [`Auth`] asks it at most once per sender and
//! namespace within `auth.cacheTtl`, so a storm costs two calls. What the API server does not decide is neither allowed nor
//! denied: the sender gets a 503 and sends its signals again.

mod credentials;
mod decide;
mod kube_review;
mod review;
mod scope;
mod sender;
mod strangers;
mod verdicts;

pub(crate) use self::credentials::MAX_TOKEN_BYTES;
pub use self::credentials::Unauthenticated;
pub use self::decide::{Access, Auth};
pub use self::kube_review::{KubeReview, Settings};
pub use self::review::{Question, Review, Undecided, Verdict};
pub use self::scope::AccessScope;
pub use self::sender::Sender;

#[cfg(test)]
mod tests;
