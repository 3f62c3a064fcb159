//! The history of all calls of all replicas, in the order in which they arrived.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{Call, Outcome, Verb};

/// How long [`Record::wait_for`] waits.
const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// A history of calls, shared by the proxies that write it and the test that reads it.
#[derive(Clone)]
pub struct Record {
    began: Instant,
    bodies: bool,
    calls: Arc<watch::Sender<Vec<Call>>>,
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

impl Record {
    /// An empty history that begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), bodies: true, calls: Arc::new(watch::Sender::new(Vec::new())) }
    }

    /// An empty history that will not keep what calls send: for hundreds of thousands of them.
    pub fn without_bodies() -> Self {
        Self { bodies: false, ..Self::new() }
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Looks at all calls so far without copying them. Calls that arrive meanwhile wait: be quick.
    pub fn read<T>(&self, look: impl FnOnce(&[Call]) -> T) -> T {
        look(&self.calls.borrow())
    }

    /// How many calls so far did `verb` to `resource`.
    pub fn count(&self, verb: Verb, resource: &str) -> usize {
        self.count_of(|call| call.is(verb, resource))
    }

    /// How many calls so far `matches`.
    pub fn count_of(&self, matches: impl Fn(&Call) -> bool) -> usize {
        self.calls.borrow().iter().filter(|call| matches(call)).count()
    }

    /// Waits until the history is such that `done` is true.
    ///
    /// # Errors
    /// If it is not so after 30 s; the error lists the calls.
    pub async fn wait_for(&self, mut done: impl FnMut(&[Call]) -> bool) -> Result<()> {
        let mut calls = self.calls.subscribe();
        match tokio::time::timeout(WAIT_LIMIT, calls.wait_for(|calls| done(calls))).await {
            Ok(_) => Ok(()),
            Err(_) => bail!("still waiting for a call after {WAIT_LIMIT:?}; the history is:\n{}", self.text()),
        }
    }

    /// The history as text, a line a call.
    pub fn text(&self) -> String {
        use std::fmt::Write;
        self.calls.borrow().iter().fold(String::new(), |mut text, call| {
            let name = call.name.as_deref().unwrap_or("-");
            let abandoned = if call.abandoned { ", client gone" } else { "" };
            let (at, verb, resource, outcome) = (call.at.as_secs_f64(), call.verb, &call.resource, &call.outcome);
            let _ = writeln!(text, "{at:9.4} {} {verb:?} {resource} {name}: {outcome:?}{abandoned}", call.replica);
            text
        })
    }

    /// Adds a call that has just arrived; returns its place.
    pub(super) fn arrived(&self, mut call: Call) -> usize {
        call.at = self.began.elapsed();
        if !self.bodies {
            call.body = Bytes::new();
        }
        let mut place = 0;
        self.calls.send_modify(|calls| {
            place = calls.len();
            calls.push(call);
        });
        place
    }

    /// Writes down how the call at `place` ended.
    pub(super) fn ended(&self, place: usize, outcome: Outcome) {
        let now = self.began.elapsed();
        self.change(place, |call| {
            call.ended = Some(now);
            call.outcome = outcome;
        });
    }

    /// Writes down that the client of the call at `place` hung up before it was answered.
    pub(super) fn abandoned(&self, place: usize) {
        self.change(place, |call| call.abandoned = true);
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut Call)) {
        self.calls.send_if_modified(|calls| calls.get_mut(place).map(change).is_some());
    }
}
