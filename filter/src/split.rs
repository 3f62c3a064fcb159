//! A body in shares: each goes to its incident's owner, some at a time, and what comes back makes one answer.
//!
//! It ends: each share is sent or given up, each that was sent has a reply or times out, and all of it within
//! [`Config::split_timeout_ms`] of the start. A share that the proxy will not send yet (a circuit breaker is full) waits for
//! the next reply; when there is none to wait for, it has failed.

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{SignalOutcome, SignalResponse, merge};
use onceway_signal::{Fingerprint, Source};
use thiserror::Error;

use crate::affinity::Share;
use crate::forward::Forward;
use crate::reply::{ReplyHead, outcomes, unknown, unsent};
use crate::{Config, Host, HostError, Reply, SubRequest};

/// A body that is being served in shares.
#[derive(Debug)]
pub(crate) struct Split {
    config: Rc<Config>,
    source: Source,
    forward: Forward,
    /// Kept until the last share is sent.
    body: Vec<u8>,
    waiting: VecDeque<Share>,
    in_flight: Vec<Sent>,
    /// What is known by now, each with its place in the body.
    outcomes: Vec<(usize, SignalOutcome)>,
    /// How many bytes of replies may still be read.
    answer_bytes_left: usize,
    /// When all must be answered, where the proxy has a clock.
    deadline_ms: Option<u64>,
}

/// Stands for the token of a share that was never sent; it is not looked for.
const NO_TOKEN: u32 = 0;

/// A share that was sent.
#[derive(Debug)]
struct Sent {
    token: u32,
    fingerprint: Fingerprint,
    place: usize,
    places: Vec<usize>,
}

/// Why a share was not sent.
#[derive(Debug, Error)]
pub(crate) enum Unsent {
    /// The time was up.
    #[error("its turn did not come within {limit_ms} ms")]
    Late {
        /// The time for all shares.
        limit_ms: u32,
    },
    /// The proxy would not.
    #[error("the proxy would not ask a replica: {0}")]
    Proxy(HostError),
}

impl Unsent {
    fn outcome(&self) -> SignalOutcome {
        let problem = match self {
            Unsent::Late { .. } => ProblemKind::DeadlineExceeded,
            Unsent::Proxy(_) => ProblemKind::Unreachable,
        };
        unsent(problem, format!("{self}; send it again"))
    }
}

impl Sent {
    fn of(token: u32, share: Share) -> Sent {
        let Share { fingerprint, place, places, .. } = share;
        Sent { token, fingerprint, place, places }
    }
}

impl Split {
    /// A split of `body`, of which nothing was sent yet.
    pub(crate) fn new(
        config: Rc<Config>,
        source: Source,
        forward: Forward,
        body: Vec<u8>,
        shares: Vec<Share>,
    ) -> Split {
        let answer_bytes_left = usize::try_from(config.max_answer_bytes).unwrap_or(usize::MAX);
        Split {
            config,
            source,
            forward,
            body,
            waiting: shares.into(),
            in_flight: Vec::new(),
            outcomes: Vec::new(),
            answer_bytes_left,
            deadline_ms: None,
        }
    }

    /// Sends the first shares.
    ///
    /// # Errors
    ///
    /// Not even one could be sent. There will be no reply then.
    pub(crate) fn start(&mut self, host: &impl Host) -> Result<(), Unsent> {
        self.deadline_ms = host.now_ms().ok().map(|now| now.saturating_add(u64::from(self.config.split_timeout_ms)));
        if let Some(first) = self.waiting.pop_front() {
            let token = self.send(host, &first)?;
            self.in_flight.push(Sent::of(token, first));
        }
        self.fill(host);
        Ok(())
    }

    /// Takes a reply in, and sends what can be sent now. `true`: that was the last.
    pub(crate) fn on_reply(&mut self, host: &impl Host, reply: Reply) -> bool {
        let Some(index) = self.in_flight.iter().position(|sent| sent.token == reply.token) else { return false };
        let sent = self.in_flight.swap_remove(index);
        let told = self.read(host, reply).unwrap_or_else(|message| vec![unknown(message)]);
        self.settle(&sent, told);
        self.fill(host);
        self.in_flight.is_empty()
    }

    /// The one answer that all shares make.
    pub(crate) fn answer(&mut self) -> SignalResponse {
        self.outcomes.sort_by_key(|(place, _)| *place);
        let outcomes = take(&mut self.outcomes).into_iter().map(|(_, outcome)| outcome).collect();
        match merge(outcomes) {
            SignalResponse::Problem(mut problem) => {
                problem.instance = Some(self.source.path());
                SignalResponse::Problem(problem)
            }
            answer => answer,
        }
    }

    fn fill(&mut self, host: &impl Host) {
        let at_once = usize::try_from(self.config.max_subrequests_in_flight).unwrap_or(usize::MAX);
        while self.in_flight.len() < at_once
            && let Some(share) = self.waiting.pop_front()
        {
            match self.send(host, &share) {
                Ok(token) => self.in_flight.push(Sent::of(token, share)),
                Err(Unsent::Proxy(_)) if !self.in_flight.is_empty() => {
                    self.waiting.push_front(share);
                    break;
                }
                Err(reason) => self.settle(&Sent::of(NO_TOKEN, share), vec![reason.outcome()]),
            }
        }
        if self.waiting.is_empty() {
            self.body = Vec::new();
        }
    }

    fn send(&self, host: &impl Host, share: &Share) -> Result<u32, Unsent> {
        let limit_ms = self.config.split_timeout_ms;
        let timeout_ms = self.time_left(host).ok_or(Unsent::Late { limit_ms })?;
        // Taken from this very body, so that it can be sliced.
        let body = share.part.slice(&self.body).unwrap_or_default();
        let headers = self.forward.headers_for(share.fingerprint);
        let request = SubRequest { cluster: &self.config.cluster, headers: &headers, body: &body, timeout_ms };
        host.dispatch(&request).map_err(Unsent::Proxy)
    }

    /// How long a share that is sent now may take, in milliseconds; `None` if its time is up.
    fn time_left(&self, host: &impl Host) -> Option<u32> {
        let limit = self.config.split_timeout_ms;
        let (Some(deadline), Ok(now)) = (self.deadline_ms, host.now_ms()) else { return Some(limit) };
        let left = u32::try_from(deadline.saturating_sub(now)).unwrap_or(limit).min(limit);
        (left > 0).then_some(left)
    }

    /// The outcomes that a reply tells of, or why it tells of none.
    fn read(&mut self, host: &impl Host, reply: Reply) -> Result<Vec<SignalOutcome>, String> {
        if reply.headers == 0 {
            return Err("the connection to a replica broke off; send it again".to_owned());
        }
        let failed = |error: HostError| format!("a replica's answer could not be read: {error}; send it again");
        let head = ReplyHead::parse(&host.reply_headers().map_err(failed)?)
            .ok_or_else(|| failed(HostError::Malformed { call: "proxy_get_header_map_pairs" }))?;
        let Some(left) = self.answer_bytes_left.checked_sub(reply.body_bytes) else {
            let limit = self.config.max_answer_bytes;
            return Err(format!(
                "the replicas' answers are larger than {limit} bytes together; raise max_answer_bytes in the filter's \
                 configuration, or send fewer alerts in one webhook"
            ));
        };
        let limit = u32::try_from(reply.body_bytes).unwrap_or(u32::MAX);
        let body = if limit == 0 { Vec::new() } else { host.reply_body(limit).map_err(failed)? };
        self.answer_bytes_left = left;
        Ok(outcomes(head, &body))
    }

    /// Notes what became of a share, each outcome at its place in the body.
    fn settle(&mut self, sent: &Sent, told: Vec<SignalOutcome>) {
        // A share that failed as a whole is one outcome, whatever rode with it; and a sidecar of another version may see
        // other incidents. What it tells then stands where the body first names the share's own.
        let agreed = told.len() == sent.places.len();
        let placed = told.into_iter().enumerate().map(|(index, mut outcome)| {
            let place = sent.places.get(index).copied().filter(|_| agreed).unwrap_or(sent.place);
            if outcome.fingerprint.is_none() && outcome.alert.is_none() {
                outcome.fingerprint = Some(sent.fingerprint.to_string());
            }
            (place, outcome.moved_to(place))
        });
        self.outcomes.extend(placed);
    }
}

#[cfg(test)]
mod tests;
