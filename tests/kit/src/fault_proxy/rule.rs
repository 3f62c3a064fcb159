//! Which calls meet which fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::call::{Call, Verb};

/// How long a test waits for a call to meet its fault.
const REACHED_LIMIT: Duration = Duration::from_secs(30);

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It reaches the API server later.
    Delay(Duration),
    /// It reaches the API server only once the rule's handle releases it, even if its client has given up by then.
    Hold,
    /// The API server commits it, but its answer waits until the rule's handle releases it.
    HoldAnswer,
    /// It is answered with this status instead of reaching the API server.
    Answer(StatusCode),
    /// Like [`Fault::Answer`], with `Retry-After` in seconds.
    AnswerRetryAfter(StatusCode, u32),
    /// The connection is cut before it reaches the API server.
    CutBefore,
    /// The API server commits it, and the connection is cut before the answer.
    LoseAnswer,
    /// A watch is opened, and nothing is ever heard on it.
    Mute,
    /// A watch is opened, and told that the API server has forgotten the version it begins at (410).
    Expire,
}

/// Which calls are meant: all, until it is narrowed.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    what: Option<(Verb, String)>,
    writes_only: bool,
    name: Option<String>,
    skip: u64,
    every: Option<u64>,
    times: Option<u64>,
}

impl Rule {
    /// Every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every call that changes something.
    pub fn writes() -> Self {
        Self { writes_only: true, ..Self::default() }
    }

    /// Calls that do `verb` to `resource` (`remediationrequests`, `remediationrequests/status`, `leases`, ...).
    pub fn on(verb: Verb, resource: &str) -> Self {
        Self { what: Some((verb, resource.to_owned())), ..Self::default() }
    }

    /// Only those for the object of this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only the `n`-th of them, counted from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self { skip: n.saturating_sub(1), times: Some(1), ..self }
    }

    /// Only the first `n` of them.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        Self { times: Some(n), ..self }
    }

    /// Only the first of them.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Only each `n`-th of them.
    #[must_use]
    pub fn every(self, n: u64) -> Self {
        Self { every: Some(n.max(1)), ..self }
    }

    /// Whether the fault is for a call that matches, `earlier` others having matched before.
    fn is_for(&self, earlier: u64) -> bool {
        let Some(place) = earlier.checked_sub(self.skip) else { return false };
        let every = self.every.unwrap_or(1);
        // The last of each `every`, so that the first is not always the one that is hit.
        (place + 1).is_multiple_of(every) && self.times.is_none_or(|times| place / every < times)
    }

    fn matches(&self, call: &Call) -> bool {
        self.what.as_ref().is_none_or(|(verb, resource)| call.is(*verb, resource))
            && (!self.writes_only || call.verb.writes())
            && self.name.as_ref().is_none_or(|name| call.name.as_ref() == Some(name))
    }
}

/// A rule in force, and how often it was met.
pub(super) struct Armed {
    rule: Rule,
    pub(super) fault: Fault,
    /// Calls that matched, hit or not.
    seen: AtomicU64,
    hits: watch::Sender<u64>,
    /// One permit lets one held call go; closed, it lets all go.
    gate: Semaphore,
    ended: AtomicBool,
}

impl Armed {
    pub(super) fn new(rule: Rule, fault: Fault) -> Self {
        let (seen, gate, ended) = (AtomicU64::new(0), Semaphore::new(0), AtomicBool::new(false));
        Self { rule, fault, seen, hits: watch::Sender::new(0), gate, ended }
    }

    /// Whether the fault is for this call. The hit is told by [`Armed::hit`], once the call is on record.
    pub(super) fn takes(&self, call: &Call) -> bool {
        if self.ended.load(Ordering::Acquire) || !self.rule.matches(call) {
            return false;
        }
        let earlier = self.seen.fetch_add(1, Ordering::AcqRel);
        self.rule.is_for(earlier)
    }

    /// Tells the handle that a call has met the fault.
    pub(super) fn hit(&self) {
        self.hits.send_modify(|hits| *hits += 1);
    }

    /// Waits until the handle lets this call go.
    pub(super) async fn held(&self) {
        // An error means that the gate was opened for good.
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.gate.close();
    }
}

/// The test's side of a rule in force. Dropping it changes nothing: the rule stays.
#[derive(Clone)]
pub struct RuleHandle(Arc<Armed>);

impl RuleHandle {
    pub(super) fn new(armed: Arc<Armed>) -> Self {
        Self(armed)
    }

    /// Waits until a call has met the fault. With [`Fault::HoldAnswer`] and [`Fault::LoseAnswer`] the
    /// API server has answered it by then.
    ///
    /// # Panics
    /// If none does within 30 s: the call that the test is about was never made.
    pub async fn reached(&self) {
        self.reached_times(1).await;
    }

    /// Waits until `n` calls have met the fault.
    ///
    /// # Panics
    /// If fewer do within 30 s.
    pub async fn reached_times(&self, n: u64) {
        let mut hits = self.0.hits.subscribe();
        let reached = timeout(REACHED_LIMIT, hits.wait_for(|hits| *hits >= n)).await.is_ok();
        assert!(reached, "{} of {n} calls have met {:?} of {:?}", self.hits(), self.0.fault, self.0.rule);
    }

    /// How many calls have met the fault.
    pub fn hits(&self) -> u64 {
        *self.0.hits.borrow()
    }

    /// Lets one held call go, or the next that would be held.
    pub fn release_one(&self) {
        self.0.gate.add_permits(1);
    }

    /// Ends the rule, and lets go all that it holds.
    pub fn release(&self) {
        self.0.end();
    }
}
