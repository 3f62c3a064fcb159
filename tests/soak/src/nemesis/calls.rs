//! Faults between a replica and the API server.

use std::time::Duration;

use http::StatusCode;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use rand::RngExt;

use super::Hand;
use super::kind::Kind;

/// The writes of the protocol. A fault is for one of them, or for all.
const WRITES: [(Verb, &str); 4] =
    [(Verb::Create, LEASES), (Verb::Patch, LEASES), (Verb::Create, RRS), (Verb::Patch, RR_STATUS)];
/// Of calls that meet a fault now and then, each so-many-th does at the least.
const MAX_EVERY: u64 = 4;
/// How much longer calls take, in milliseconds.
const SLOW_MS: std::ops::RangeInclusive<u64> = 20..=300;
/// What a server that fails answers.
const FAILURES: [StatusCode; 3] =
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

impl Hand {
    /// Lets calls of the replica meet a fault for a while; how many did.
    pub(super) async fn strike_calls(&mut self, kind: Kind, length: Duration) -> u64 {
        let (rule, fault) = self.draw_fault(kind);
        let rig = std::sync::Arc::clone(&self.rig);
        let proxy = rig.proxy(self.replica);
        let handle = proxy.rule(rule, fault);
        if kind == Kind::Partition {
            proxy.cut();
        }
        self.pause(length).await;
        proxy.heal();
        // A partition cuts what was open even where nothing new is tried.
        handle.hits().max(u64::from(kind == Kind::Partition))
    }

    fn draw_fault(&mut self, kind: Kind) -> (Rule, Fault) {
        match kind {
            Kind::LoseRequests => (self.some(Rule::any()), Fault::CutBefore),
            Kind::LoseAnswers => (self.some_writes(), Fault::LoseAnswer),
            Kind::LateRequests => (self.some_writes(), Fault::Hold),
            Kind::LateAnswers => (self.some_writes(), Fault::HoldAnswer),
            Kind::Slow => (Rule::any(), Fault::Delay(self.draw_ms(SLOW_MS))),
            Kind::Throttle => (self.some(Rule::any()), Fault::AnswerRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1)),
            Kind::ServerErrors => {
                let status = FAILURES[self.rng.random_range(0..FAILURES.len())];
                (self.some(Rule::any()), Fault::Answer(status))
            }
            // What strikes a process never gets here.
            _ => (Rule::any(), Fault::CutBefore),
        }
    }

    /// One of the protocol's writes, or all of them; now and then.
    fn some_writes(&mut self) -> Rule {
        let which = self.rng.random_range(0..=WRITES.len());
        let rule = WRITES.get(which).map_or_else(Rule::writes, |(verb, resource)| Rule::on(*verb, resource));
        self.some(rule)
    }

    /// All of them, or each second, third, fourth.
    fn some(&mut self, rule: Rule) -> Rule {
        rule.every(self.rng.random_range(1..=MAX_EVERY))
    }
}
