//! Waits for what no event tells: the state of another program.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until `look` finds something; returns that.
///
/// # Errors
/// That of `look`, or that `what` was not found within `limit`.
pub async fn until<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return anyhow::Ok(found);
            }
            sleep(EVERY).await;
        }
    };
    timeout(limit, looking).await.with_context(|| format!("not within {limit:?}: {what}"))?
}
