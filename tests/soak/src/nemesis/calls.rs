//! Faults between a replica and the API server.

use std::time::Duration;

use http::StatusCode;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use rand::RngExt;

use super::Injector;
use super::kind::FaultKind;

/// The writes of the protocol; a fault targets one of them, or all.
const WRITES: [(Verb, &str); 4] =
    [(Verb::Create, LEASES), (Verb::Patch, LEASES), (Verb::Create, RRS), (Verb::Patch, RR_STATUS)];
/// An intermittent fault is injected into every `n`-th call, with `n` drawn from 1 to this.
const MAX_EVERY: u64 = 4;
/// The added latency of slow calls, in milliseconds.
const SLOW_MS: std::ops::RangeInclusive<u64> = 20..=300;
/// The statuses of a failing server.
const FAILURES: [StatusCode; 3] =
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

impl Injector {
    /// Injects a fault into calls of the replica for `length`. Returns how many calls got it.
    pub(super) async fn inject_into_calls(&mut self, kind: FaultKind, length: Duration) -> u64 {
        let (rule, fault) = self.draw_fault(kind);
        let rig = std::sync::Arc::clone(&self.rig);
        let proxy = rig.proxy(self.replica);
        let handle = proxy.rule(rule, fault);
        if kind == FaultKind::Partition {
            proxy.cut();
        }
        self.pause(length).await;
        proxy.heal();
        // A partition cuts open connections even if no new call is made.
        handle.injected().max(u64::from(kind == FaultKind::Partition))
    }

    fn draw_fault(&mut self, kind: FaultKind) -> (Rule, Fault) {
        match kind {
            FaultKind::LoseRequests => (self.some_of(Rule::any()), Fault::CutBefore),
            FaultKind::LoseResponses => (self.some_writes(), Fault::LoseResponse),
            FaultKind::LateRequests => (self.some_writes(), Fault::Hold),
            FaultKind::LateResponses => (self.some_writes(), Fault::HoldResponse),
            FaultKind::Slow => (Rule::any(), Fault::Delay(self.draw_ms(SLOW_MS))),
            FaultKind::Throttle => {
                (self.some_of(Rule::any()), Fault::RespondRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1))
            }
            FaultKind::ServerErrors => {
                let status = FAILURES[self.rng.random_range(0..FAILURES.len())];
                (self.some_of(Rule::any()), Fault::Respond(status))
            }
            // Not reached: `inject` handles the faults of a process.
            _ => (Rule::any(), Fault::CutBefore),
        }
    }

    /// Some calls of one of the protocol's writes, or of all.
    fn some_writes(&mut self) -> Rule {
        let which = self.rng.random_range(0..=WRITES.len());
        let rule = WRITES.get(which).map_or_else(Rule::writes, |(verb, resource)| Rule::on(*verb, resource));
        self.some_of(rule)
    }

    /// All calls of a rule, or every second, third or fourth.
    fn some_of(&mut self, rule: Rule) -> Rule {
        rule.every(self.rng.random_range(1..=MAX_EVERY))
    }
}
