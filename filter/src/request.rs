//! One request as a state machine over the [`Host`]: events of the proxy in, what to do next out.
//!
//! Every path ends. A paused request continues, is rejected or is split at the end of its body, at its trailers or at the
//! size limit, or ends when the proxy drops the stream. A split request is responded to with its last sub-response.

use std::error::Error;
use std::rc::Rc;

use onceway_signal::response::SignalResponse;
use onceway_signal::{DecodeError, FINGERPRINT_HEADER, Origin, Source, TARGETS_HEADER};
use thiserror::Error;

use crate::affinity::Partition;
use crate::budget::{BufferBudget, BufferShare};
use crate::forward::ForwardedHeaders;
use crate::head::Head;
use crate::rejection::{body_too_large, no_share, no_time, split_too_large};
use crate::retries::Retries;
use crate::split::{Split, Turn, Unsent};
use crate::splits::{Refused, Splits};
use crate::{Affinity, Config, Decision, Host, HostError, Level, SubResponse, affinity};

/// What the proxy does with the request next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send on what it has.
    Continue,
    /// Hold the request and buffer what arrives.
    Pause,
}

/// What all requests of a VM share.
#[derive(Debug, Default)]
pub struct Shared {
    budget: Rc<BufferBudget>,
    splits: Rc<Splits>,
    retries: Retries,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    config: Rc<Config>,
    shared: Rc<Shared>,
    /// Kept until the request ends: Envoy holds the body until then, to send it again, and a split holds its own copy.
    share: BufferShare,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Pass through: not a signal request, or already handled.
    Passed,
    /// Paused until the body is complete.
    Buffering(Origin),
    /// Paused until all sub-responses have arrived.
    Split(Box<Split>),
    /// Responded to; nothing of it may go upstream.
    Responded,
}

/// `%RESPONSE_CODE_DETAILS%` of a rejection.
const TOO_LARGE: &str = "onceway_payload_too_large";
/// `%RESPONSE_CODE_DETAILS%` of a body that found no share.
const SHED: &str = "onceway_overloaded";
/// `%RESPONSE_CODE_DETAILS%` of a merged response.
const MERGED: &str = "onceway_split";

/// The next state, and the decision to count, if one was made.
type Step = Result<(State, Option<Decision>), HostError>;

/// Why a body passes through whole that would be split.
#[derive(Debug, Error)]
enum NotSplit {
    /// No cluster to send sub-requests to.
    #[error("the property xds.cluster_name names no cluster; set `cluster` in the filter's configuration")]
    NoCluster,
    /// The host call for the cluster failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Not even the first partition could be sent.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

impl Request {
    /// A request before its headers.
    pub fn new(config: Rc<Config>, shared: Rc<Shared>) -> Request {
        let share = BufferShare::new(Rc::clone(&shared.budget));
        Request { config, shared, share, state: State::Passed }
    }

    /// The headers have arrived; with `end_of_stream` nothing follows.
    pub fn on_headers(&mut self, host: &impl Host, end_of_stream: bool) -> Action {
        let step = self.start(host, end_of_stream);
        self.settle(host, step)
    }

    /// The body has grown to `buffered` bytes; with `end_of_stream` it is complete. May repeat the same size.
    pub fn on_body(&mut self, host: &impl Host, buffered: usize, end_of_stream: bool) -> Action {
        let State::Buffering(origin) = &self.state else { return self.action() };
        let limit = self.config.max_buffered_bytes;
        let step = if self.is_too_large(buffered) {
            self.reject(host, body_too_large(origin.source, self.config.max_body_bytes))
        } else if !self.share.grow_to(buffered, limit) {
            self.respond(host, no_share(origin.source, limit), SHED).map(|()| (State::Responded, Some(Decision::Shed)))
        } else if end_of_stream {
            self.decide(host, origin)
        } else {
            return Action::Pause;
        };
        self.settle(host, step)
    }

    /// The trailers have arrived, which completes the body: Envoy does not announce `end_of_stream` before trailers.
    pub fn on_trailers(&mut self, host: &impl Host) -> Action {
        let State::Buffering(origin) = &self.state else { return self.action() };
        let step = self.decide(host, origin);
        self.settle(host, step)
    }

    /// A sub-response has arrived.
    pub fn on_sub_response(&mut self, host: &impl Host, response: SubResponse) {
        let State::Split(split) = &mut self.state else { return };
        if !split.on_sub_response(host, response) {
            return;
        }
        let response = split.response();
        // A 4xx is final: nobody sends it again.
        if response.status() >= 500 {
            split.failed(host);
        }
        self.state = match self.respond(host, response, MERGED) {
            Ok(()) => State::Responded,
            Err(error) => {
                // The sidecars count some signals twice: better than a sender that gets no response.
                host.log(Level::Warn, &format!("passing a split body through whole, responding failed: {error}"));
                let _ = host.resume().inspect_err(|error| {
                    host.log(Level::Error, &format!("a request hangs until max_stream_duration: {error}"));
                });
                State::Passed
            }
        };
    }

    /// The stream has ended, perhaps before its response: a sender that has left sends again what it did not see acknowledged.
    pub fn on_end(&mut self, host: &impl Host) {
        if let State::Split(split) = &self.state {
            split.abandoned(host);
        }
        self.state = State::Responded;
    }

    fn start(&self, host: &impl Host, end_of_stream: bool) -> Step {
        let map = host.request_headers()?;
        let head = Head::parse(&map).ok_or(HostError::Malformed { call: "proxy_get_header_map_pairs" })?;
        for name in head.spoofed {
            host.remove_request_header(name)?;
        }
        let origin = match head.origin {
            None => return Ok((State::Passed, None)),
            Some(Err(error)) => return Ok(Self::undecodable(host, &error)),
            Some(Ok(origin)) => origin,
        };
        if end_of_stream {
            return Ok((State::Passed, Some(Decision::Nothing)));
        }
        let limit = self.config.max_body_bytes;
        if head.content_length.is_some_and(|length| length > u64::from(limit)) {
            return self.reject(host, body_too_large(origin.source, limit));
        }
        Ok((State::Buffering(origin), None))
    }

    fn decide(&self, host: &impl Host, origin: &Origin) -> Step {
        let body = host.request_body(self.config.max_body_bytes)?;
        if body.is_empty() {
            return Ok((State::Passed, Some(Decision::Nothing)));
        }
        let affinity = affinity(&self.config.targets, origin, &body);
        let fingerprint = affinity.fingerprint();
        let decision = match affinity {
            Affinity::One(_) => Decision::Fingerprinted,
            Affinity::Several { alerts, partitions } => {
                match self.split(host, origin.source, body, alerts, partitions)? {
                    Some(step) => return Ok(step),
                    None => Decision::Several,
                }
            }
            Affinity::Nothing => Decision::Nothing,
            Affinity::Undecodable(error) => return Ok(Self::undecodable(host, &error)),
        };
        if let Some(fingerprint) = fingerprint {
            host.set_request_header(FINGERPRINT_HEADER, &fingerprint.hex())?;
            host.set_request_header(TARGETS_HEADER, self.config.targets.hash())?;
        }
        Ok((State::Passed, Some(decision)))
    }

    /// The sidecar rejects it, and says why.
    fn undecodable(host: &impl Host, error: &DecodeError) -> (State, Option<Decision>) {
        host.log(Level::Debug, &format!("passing a body through without a fingerprint: {error}"));
        (State::Passed, Some(Decision::Undecodable))
    }

    /// Sends each partition to its owner. `None`: none was sent, and the body passes through whole.
    fn split(
        &self,
        host: &impl Host,
        source: Source,
        body: Vec<u8>,
        alerts: usize,
        partitions: Vec<Partition>,
    ) -> Result<Option<(State, Option<Decision>)>, HostError> {
        let map = host.request_headers()?;
        let headers =
            ForwardedHeaders::parse(&map).ok_or(HostError::Malformed { call: "proxy_get_header_map_pairs" })?;
        if !headers.can_split() {
            return Ok(None);
        }
        if let Some(rejection) = split_too_large(source, &self.config, body.len(), alerts, &partitions) {
            return self.reject(host, rejection).map(Some);
        }
        let cluster = match self.cluster(host) {
            Ok(cluster) => cluster,
            Err(reason) => return Ok(not_split(host, &reason)),
        };
        let turn = match self.turn(host, &body, partitions.len(), headers.request_id()) {
            Ok(turn) => turn,
            Err(refused) => {
                self.respond(host, no_time(source, refused), SHED)?;
                return Ok(Some((State::Responded, Some(Decision::Shed))));
            }
        };
        let mut split = Split::new(Rc::clone(&self.config), source, cluster, headers, body, partitions, turn);
        Ok(match split.start(host) {
            Ok(()) => Some((State::Split(Box::new(split)), Some(Decision::Split))),
            Err(reason) => not_split(host, &reason.into()),
        })
    }

    /// When a webhook of these bytes and this many partitions may be split: now, unless it could not end in time.
    fn turn(
        &self,
        host: &impl Host,
        body: &[u8],
        partitions: usize,
        request_id: Option<&str>,
    ) -> Result<Turn, Refused> {
        let (now, shared) = (host.now_ms().ok(), &self.shared);
        let deadline_ms = now.map(|now| now.saturating_add(u64::from(self.config.split_timeout_ms)));
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
        let place =
            now.zip(deadline_ms).map(|(now, deadline)| shared.splits.begin(partitions, now, deadline)).transpose()?;
        Ok(Turn {
            attempt: shared.retries.attempt(host, body, request_id, now.unwrap_or_default()),
            deadline_ms,
            place,
        })
    }

    /// The cluster for sub-requests: the configured one, else that of the request's route.
    fn cluster(&self, host: &impl Host) -> Result<String, NotSplit> {
        if let Some(cluster) = &self.config.cluster {
            return Ok(cluster.clone());
        }
        let cluster = host.route_cluster()?.and_then(|name| String::from_utf8(name).ok());
        cluster.filter(|name| !name.is_empty()).ok_or(NotSplit::NoCluster)
    }

    fn reject(&self, host: &impl Host, rejection: SignalResponse) -> Step {
        self.respond(host, rejection, TOO_LARGE)?;
        Ok((State::Responded, Some(Decision::TooLarge)))
    }

    fn respond(&self, host: &impl Host, response: SignalResponse, details: &'static str) -> Result<(), HostError> {
        host.respond(&response.typed(self.config.problem_types), details)
    }

    /// Fails open: a failed host call costs the request its affinity, never its delivery.
    fn settle(&mut self, host: &impl Host, step: Step) -> Action {
        let (state, decision) = step.unwrap_or_else(|error| {
            host.log(Level::Warn, &format!("passing a request through without a fingerprint: {error}"));
            (State::Passed, Some(Decision::Error))
        });
        if let Some(decision) = decision {
            host.count(decision);
        }
        self.state = state;
        self.action()
    }

    fn is_too_large(&self, size: usize) -> bool {
        u32::try_from(size).map_or(true, |size| size > self.config.max_body_bytes)
    }

    fn action(&self) -> Action {
        match self.state {
            State::Passed => Action::Continue,
            State::Buffering(_) | State::Split(_) | State::Responded => Action::Pause,
        }
    }
}

/// The body passes through whole. A sender would see the reason alone; operators see its cause, too.
fn not_split<T>(host: &impl Host, reason: &NotSplit) -> Option<T> {
    let cause = reason.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    host.log(Level::Warn, &format!("passing a body through whole, it could not be split: {reason}{cause}"));
    None
}

#[cfg(test)]
mod tests;
