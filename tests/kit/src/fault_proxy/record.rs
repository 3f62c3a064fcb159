//! The history of all calls of all replicas, in arrival order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{Call, CallResult, Verb};

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
    /// An empty history that starts now.
    pub fn new() -> Self {
        Self { began: Instant::now(), bodies: true, calls: Arc::new(watch::Sender::new(Vec::new())) }
    }

    /// An empty history without request bodies, for hundreds of thousands of calls.
    pub fn without_bodies() -> Self {
        Self { bodies: false, ..Self::new() }
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Reads all calls so far without copying them. It blocks calls that arrive meanwhile, so `look` must be quick.
    pub fn read<T>(&self, look: impl FnOnce(&[Call]) -> T) -> T {
        look(&self.calls.borrow())
    }

    /// How many calls so far are `verb` on `resource`.
    pub fn count(&self, verb: Verb, resource: &str) -> usize {
        self.count_of(|call| call.is(verb, resource))
    }

    /// How many calls so far match.
    pub fn count_of(&self, matches: impl Fn(&Call) -> bool) -> usize {
        self.calls.borrow().iter().filter(|call| matches(call)).count()
    }

    /// Waits until `done` returns true.
    ///
    /// # Errors
    /// After 30 s; the error lists the calls.
    pub async fn wait_for(&self, mut done: impl FnMut(&[Call]) -> bool) -> Result<()> {
        let mut calls = self.calls.subscribe();
        match tokio::time::timeout(WAIT_LIMIT, calls.wait_for(|calls| done(calls))).await {
            Ok(_) => Ok(()),
            Err(_) => bail!("no expected call within {WAIT_LIMIT:?}; all calls so far:\n{}", self.text()),
        }
    }

    /// The history as text, one line per call.
    pub fn text(&self) -> String {
        use std::fmt::Write;
        self.calls.borrow().iter().fold(String::new(), |mut text, call| {
            let name = call.name.as_deref().unwrap_or("-");
            let abandoned = if call.abandoned { ", client disconnected" } else { "" };
            let (at, verb, resource, result) = (call.at.as_secs_f64(), call.verb, &call.resource, &call.result);
            let _ = writeln!(text, "{at:9.4} {} {verb:?} {resource} {name}: {result:?}{abandoned}", call.replica);
            text
        })
    }

    /// Adds a call that has just arrived; returns its index.
    pub(super) fn arrived(&self, mut call: Call) -> usize {
        call.at = self.began.elapsed();
        if !self.bodies {
            call.body = Bytes::new();
        }
        let mut index = 0;
        self.calls.send_modify(|calls| {
            index = calls.len();
            calls.push(call);
        });
        index
    }

    /// Records what happened to the call at `index`.
    pub(super) fn ended(&self, index: usize, result: CallResult) {
        let now = self.began.elapsed();
        self.change(index, |call| {
            call.ended = Some(now);
            call.result = result;
        });
    }

    /// Records that the client of the call at `index` disconnected before it got a response.
    pub(super) fn abandoned(&self, index: usize) {
        self.change(index, |call| call.abandoned = true);
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Call)) {
        self.calls.send_if_modified(|calls| calls.get_mut(index).map(change).is_some());
    }
}
