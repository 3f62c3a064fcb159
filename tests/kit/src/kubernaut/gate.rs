//! A gate that a test opens for one call after the other.

use tokio::sync::{Semaphore, watch};

/// Where the calls of a [`KubernautGateway`](super::KubernautGateway) wait.
pub struct Gate {
    arrived: watch::Sender<u64>,
    /// One permit lets one call pass; closing it lets all pass.
    permits: Semaphore,
}

impl Gate {
    /// A gate that lets no call pass.
    pub fn closed() -> Self {
        Self { arrived: watch::Sender::new(0), permits: Semaphore::new(0) }
    }

    /// A gate that lets all calls pass.
    pub fn open() -> Self {
        let gate = Self::closed();
        gate.let_all_pass();
        gate
    }

    /// Waits until this many calls have arrived, passed or not.
    pub async fn reached_times(&self, calls: u64) {
        // An error means that the gate is gone; it is not, since it is borrowed.
        let _ = self.arrived.subscribe().wait_for(|arrived| *arrived >= calls).await;
    }

    /// Lets one call pass: the one that waits, or the next.
    pub fn let_one_pass(&self) {
        self.permits.add_permits(1);
    }

    /// Lets all calls pass from now on.
    pub fn let_all_pass(&self) {
        self.permits.close();
    }

    pub(super) async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}
