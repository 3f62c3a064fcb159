//! Plays the API calls of kubernaut's gateway for one signal, in its order: to run it beside sidecars without running it.
//!
//! ```text
//! lock      GET Lease gw-lock-<fingerprint[:16]>; missing: CREATE (30 s); expired: UPDATE; else list, and again
//! check     LIST RRs by spec.signalFingerprint: one in a phase that is not terminal is counted in
//! create    CREATE rr-<fingerprint[:12]>-<8 hex digits>
//! count     GET the RR, PUT its status with the fields that its types have; on a conflict again, 4 times in all
//! release   DELETE the Lease, whoever holds it by then
//! ```
//!
//! From its source as of 2026 (`pkg/gateway`: the lock, the phase checker, the creator of RRs, the status updater). A failed
//! count is only logged there: the signal is answered all the same.

mod calls;
mod gate;

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use onceway_signal::Fingerprint;
use tokio::time::sleep;

pub use self::calls::{LOCK_SECONDS, lock_name};
pub use self::gate::Gate;

use self::calls::Calls;
use crate::cluster::Namespace;
use crate::payload::Incident;

/// Attempts to take the lock; the last one's failure is the signal's (500).
const LOCK_ATTEMPTS: u32 = 10;
/// The pause between two of them, where no gate decides; the gateway's own begins with 100 ms and doubles.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Attempts to write a count.
const COUNT_ATTEMPTS: u32 = 4;

/// One pod of kubernaut's gateway.
pub struct KubernautGateway {
    calls: Calls,
    /// How far its clock is ahead.
    ahead: SignedDuration,
}

/// What the gateway did with a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The RR that it created or found, and which of both; `None` if it never got the lock.
    pub answer: Option<(Answer, String)>,
    /// Whether it counted the signal.
    pub counted: bool,
}

/// The gateway's answer to a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 201.
    Created,
    /// 202.
    Duplicate,
}

impl KubernautGateway {
    /// The pod of this name, in the namespace of a rig's RRs, with all rights.
    pub fn new(namespace: &Namespace, pod: &str) -> Self {
        Self { calls: Calls::new(namespace, pod), ahead: SignedDuration::ZERO }
    }

    /// The same pod with a clock that is ahead by this much: what it does when that much time has passed.
    #[must_use]
    pub fn ahead_by(self, ahead: SignedDuration) -> Self {
        Self { ahead, ..self }
    }

    /// Handles a signal; each API call waits at `gate`.
    ///
    /// # Errors
    /// If the API server gives an answer that the gateway's calls do not expect.
    pub async fn signal(&self, incident: &Incident, gate: &Gate) -> Result<Played> {
        let fingerprint = incident.fingerprint();
        for attempt in 1..=LOCK_ATTEMPTS {
            if self.lock(fingerprint, gate).await? {
                let played = self.under_lock(incident, gate).await;
                gate.pass().await;
                self.calls.delete_lock(fingerprint).await?;
                return played;
            }
            if attempt < LOCK_ATTEMPTS {
                sleep(LOCK_PAUSE).await;
                if let Some(found) = self.find(fingerprint, gate).await? {
                    return self.duplicate(found, gate).await;
                }
            }
        }
        Ok(Played { answer: None, counted: false })
    }

    async fn lock(&self, fingerprint: Fingerprint, gate: &Gate) -> Result<bool> {
        gate.pass().await;
        let now = Timestamp::now() + self.ahead;
        let Some(lease) = self.calls.get_lock(fingerprint).await? else {
            gate.pass().await;
            return self.calls.create_lock(fingerprint, now).await;
        };
        if self.calls.is_held_here(&lease) {
            return Ok(true);
        }
        if !calls::has_expired(&lease, now) {
            return Ok(false);
        }
        gate.pass().await;
        self.calls.take_over_lock(lease, now).await
    }

    async fn under_lock(&self, incident: &Incident, gate: &Gate) -> Result<Played> {
        if let Some(found) = self.find(incident.fingerprint(), gate).await? {
            return self.duplicate(found, gate).await;
        }
        gate.pass().await;
        let name = self.calls.create_rr(incident).await?;
        let counted = self.count(&name, gate).await?;
        Ok(Played { answer: Some((Answer::Created, name)), counted })
    }

    async fn find(&self, fingerprint: Fingerprint, gate: &Gate) -> Result<Option<String>> {
        gate.pass().await;
        self.calls.find_active(fingerprint).await
    }

    async fn duplicate(&self, name: String, gate: &Gate) -> Result<Played> {
        let counted = self.count(&name, gate).await?;
        Ok(Played { answer: Some((Answer::Duplicate, name)), counted })
    }

    async fn count(&self, name: &str, gate: &Gate) -> Result<bool> {
        let mut pause = Duration::from_millis(10);
        for attempt in 1..=COUNT_ATTEMPTS {
            gate.pass().await;
            let rr = self.calls.get_rr(name).await?;
            gate.pass().await;
            if self.calls.put_count(rr, Timestamp::now()).await? {
                return Ok(true);
            }
            if attempt < COUNT_ATTEMPTS {
                sleep(pause).await;
                pause *= 5;
            }
        }
        Ok(false)
    }
}
