//! Reviews of tokens that were never accepted. Anybody can invent tokens, so these must not use all the reviews that a
//! replica may have in flight: senders that are known are reviewed again meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::review::Undecided;

/// Such reviews in flight.
const MAX_REVIEWS: usize = 3;
/// Such reviews that wait; more are not made.
const MAX_WAITING: usize = 64;
/// How long one waits.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Places for reviews of strangers.
#[derive(Clone)]
pub(super) struct Strangers {
    waiting: Arc<Semaphore>,
    reviews: Arc<Semaphore>,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self { waiting: Arc::new(Semaphore::new(MAX_WAITING)), reviews: Arc::new(Semaphore::new(MAX_REVIEWS)) }
    }

    /// A place for a review, until it is dropped.
    ///
    /// # Errors
    /// [`Undecided`] if too many wait, or one waits for too long.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Undecided> {
        let too_many = || Undecided { reason: "too many tokens of unknown senders wait for a review".to_owned() };
        let _waiting = self.waiting.try_acquire().map_err(|_| too_many())?;
        let place = timeout(MAX_WAIT, Arc::clone(&self.reviews).acquire_owned()).await;
        place.map_err(|_| too_many())?.map_err(|_| too_many())
    }
}
