//! Rules: which calls get which fault.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::call::{Call, Verb};

/// How long a test waits for a fault to be injected.
const REACHED_LIMIT: Duration = Duration::from_secs(30);

/// A fault to inject into a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Forward it later.
    Delay(Duration),
    /// Forward it only when the rule's handle releases it, even if its client has timed out by then.
    Hold,
    /// Forward it, and hold the response until the rule's handle releases it.
    HoldResponse,
    /// Respond with this status without forwarding it.
    Respond(StatusCode),
    /// Like [`Fault::Respond`], with `Retry-After` in seconds.
    RespondRetryAfter(StatusCode, u32),
    /// Cut the connection without forwarding it.
    CutBefore,
    /// Forward it, and cut the connection instead of forwarding the response.
    LoseResponse,
    /// Open a watch that never delivers an event.
    Mute,
    /// Open a watch that ends with 410: its resourceVersion is too old.
    Expire,
}

/// Which calls a fault is for: all, until narrowed.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    target: Option<(Verb, String)>,
    writes_only: bool,
    name: Option<String>,
    condition: Option<Condition>,
    skip: u64,
    every: Option<u64>,
    times: Option<u64>,
}

/// A condition on a call that a test states as code.
#[derive(Clone)]
struct Condition(Arc<dyn Fn(&Call) -> bool + Send + Sync>);

impl Debug for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a condition")
    }
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

    /// Calls of `verb` on `resource` (`remediationrequests`, `remediationrequests/status`, `leases`, ...).
    pub fn on(verb: Verb, resource: &str) -> Self {
        Self { target: Some((verb, resource.to_owned())), ..Self::default() }
    }

    /// Only calls for the object of this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only calls that meet this condition.
    #[must_use]
    pub fn only(self, condition: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self { condition: Some(Condition(Arc::new(condition))), ..self }
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

    /// Only every `n`-th of them.
    #[must_use]
    pub fn every(self, n: u64) -> Self {
        Self { every: Some(n.max(1)), ..self }
    }

    /// Whether a matching call gets the fault, after `earlier` other matches.
    fn selects(&self, earlier: u64) -> bool {
        let Some(place) = earlier.checked_sub(self.skip) else { return false };
        let every = self.every.unwrap_or(1);
        // The last of each `every` calls, so that the first call is not always the one.
        (place + 1).is_multiple_of(every) && self.times.is_none_or(|times| place / every < times)
    }

    fn matches(&self, call: &Call) -> bool {
        self.target.as_ref().is_none_or(|(verb, resource)| call.is(*verb, resource))
            && (!self.writes_only || call.verb.writes())
            && self.name.as_ref().is_none_or(|name| call.name.as_ref() == Some(name))
            && self.condition.as_ref().is_none_or(|Condition(holds)| holds(call))
    }
}

/// An active rule and its counters.
pub(super) struct ActiveRule {
    rule: Rule,
    pub(super) fault: Fault,
    /// Calls that matched, with or without the fault.
    matched: AtomicU64,
    injected: watch::Sender<u64>,
    /// One permit releases one held call; closing it releases all.
    gate: Semaphore,
    ended: AtomicBool,
}

impl ActiveRule {
    pub(super) fn new(rule: Rule, fault: Fault) -> Self {
        let (matched, gate, ended) = (AtomicU64::new(0), Semaphore::new(0), AtomicBool::new(false));
        Self { rule, fault, matched, injected: watch::Sender::new(0), gate, ended }
    }

    /// Whether this call gets the fault. The caller reports the injection through [`ActiveRule::count_injection`] after
    /// the call is on record.
    pub(super) fn applies_to(&self, call: &Call) -> bool {
        if self.ended.load(Ordering::Acquire) || !self.rule.matches(call) {
            return false;
        }
        let earlier = self.matched.fetch_add(1, Ordering::AcqRel);
        self.rule.selects(earlier)
    }

    /// Reports an injection to the handle.
    pub(super) fn count_injection(&self) {
        self.injected.send_modify(|injected| *injected += 1);
    }

    /// Waits until the handle releases this call.
    pub(super) async fn wait_for_release(&self) {
        // An error means that the rule has ended, which releases all.
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.gate.close();
    }
}

/// The test's handle of an active rule. Dropping it leaves the rule active.
#[derive(Clone)]
pub struct RuleHandle(Arc<ActiveRule>);

impl RuleHandle {
    pub(super) fn new(rule: Arc<ActiveRule>) -> Self {
        Self(rule)
    }

    /// Waits until the fault has been injected. With [`Fault::HoldResponse`] and [`Fault::LoseResponse`] the API server
    /// has responded by then.
    ///
    /// # Panics
    /// After 30 s: the expected call was never made.
    pub async fn reached(&self) {
        self.reached_times(1).await;
    }

    /// Waits until the fault has been injected into `n` calls.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn reached_times(&self, n: u64) {
        let mut injected = self.0.injected.subscribe();
        let reached = timeout(REACHED_LIMIT, injected.wait_for(|injected| *injected >= n)).await.is_ok();
        assert!(reached, "{:?} was injected into {} of {n} calls; {:?}", self.0.fault, self.injected(), self.0.rule);
    }

    /// How many calls have got the fault.
    pub fn injected(&self) -> u64 {
        *self.0.injected.borrow()
    }

    /// Releases one held call, or the next that would be held.
    pub fn release_one(&self) {
        self.0.gate.add_permits(1);
    }

    /// Ends the rule and releases all calls that it holds.
    pub fn release(&self) {
        self.0.end();
    }
}
