//! One request, from its headers to its end: a state machine over the [`Host`].
//!
//! The proxy's events go in, and what it shall do next comes out. Every way through it ends: a request that is held is
//! let go, answered or split at the end of its body, at its trailers, at the limit of its size, or when the proxy drops the
//! stream; one that is split is answered with the last reply to its parts.

use std::rc::Rc;

use onceway_signal::response::SignalResponse;
use onceway_signal::{FINGERPRINT_HEADER, Source};

use crate::affinity::Share;
use crate::forward::Forward;
use crate::head::Head;
use crate::refusal::{too_many_bytes, too_much_to_split};
use crate::split::Split;
use crate::{Affinity, Config, Decision, Host, HostError, Level, Reply, affinity};

/// What the proxy shall do with the request next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send on what there is.
    Continue,
    /// Hold it, and buffer what comes.
    Pause,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    config: Rc<Config>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It goes on: it is none of ours, or we are done with it.
    Passed,
    /// It is held until its body is complete.
    Held(Source),
    /// It is held until its parts are answered.
    Split(Box<Split>),
    /// It has been answered; nothing of it may go upstream.
    Answered,
}

/// What the proxy's access log shows (`%RESPONSE_CODE_DETAILS%`) of a body that exceeds a limit.
const TOO_LARGE: &str = "onceway_payload_too_large";
/// The same of an answer that is merged of the parts'.
const MERGED: &str = "onceway_split";

/// The state that an event leads to, and what is to be counted for it.
type Step = Result<(State, Option<Decision>), HostError>;

impl Request {
    /// A request of which nothing has been seen.
    pub fn new(config: Rc<Config>) -> Request {
        Request { config, state: State::Passed }
    }

    /// The headers are there; `end_of_stream`: and that is all.
    pub fn on_headers(&mut self, host: &impl Host, end_of_stream: bool) -> Action {
        let step = self.enter(host, end_of_stream);
        self.settle(host, step)
    }

    /// More of the body is there, `buffered` bytes of it by now; `end_of_stream`: and that is all. May be called again
    /// with nothing new.
    pub fn on_body(&mut self, host: &impl Host, buffered: usize, end_of_stream: bool) -> Action {
        let State::Held(source) = self.state else { return self.action() };
        let step = if self.is_too_large(buffered) {
            self.refuse(host, &too_many_bytes(source, self.config.max_body_bytes))
        } else if end_of_stream {
            self.judge(host, source)
        } else {
            return Action::Pause;
        };
        self.settle(host, step)
    }

    /// The trailers are there. They end the request: where there are trailers, the body's end is never announced.
    pub fn on_trailers(&mut self, host: &impl Host) -> Action {
        let State::Held(source) = self.state else { return self.action() };
        let step = self.judge(host, source);
        self.settle(host, step)
    }

    /// There is a reply to a request of the filter's own.
    pub fn on_reply(&mut self, host: &impl Host, reply: Reply) {
        let State::Split(split) = &mut self.state else { return };
        if !split.on_reply(host, reply) {
            return;
        }
        let answer = split.answer();
        self.state = match host.answer(&answer, MERGED) {
            Ok(()) => State::Answered,
            Err(error) => {
                // What is counted already is counted once more: better than a sender that hears nothing.
                host.log(Level::Warn, &format!("passing a request on whole, its answer could not be given: {error}"));
                let _ = host.resume().inspect_err(|error| {
                    host.log(Level::Error, &format!("a request hangs until its stream's end: {error}"));
                });
                State::Passed
            }
        };
    }

    fn enter(&self, host: &impl Host, end_of_stream: bool) -> Step {
        let map = host.request_headers()?;
        let head = Head::parse(&map).ok_or(HostError::Malformed { call: "proxy_get_header_map_pairs" })?;
        for name in head.spoofed {
            host.remove_request_header(name)?;
        }
        let Some(source) = head.source else { return Ok((State::Passed, None)) };
        if end_of_stream {
            return Ok((State::Passed, Some(Decision::Nothing)));
        }
        let limit = self.config.max_body_bytes;
        if head.content_length.is_some_and(|length| length > u64::from(limit)) {
            return self.refuse(host, &too_many_bytes(source, limit));
        }
        Ok((State::Held(source), None))
    }

    fn judge(&self, host: &impl Host, source: Source) -> Step {
        let body = host.request_body(self.config.max_body_bytes)?;
        if body.is_empty() {
            return Ok((State::Passed, Some(Decision::Nothing)));
        }
        let affinity = affinity(source, &body);
        let fingerprint = affinity.fingerprint();
        let outcome = match affinity {
            Affinity::One(_) => Decision::Fingerprinted,
            Affinity::Several { alerts, shares } => match self.split(host, source, body, alerts, shares)? {
                Some(step) => return Ok(step),
                None => Decision::Several,
            },
            Affinity::Nothing => Decision::Nothing,
            Affinity::Undecodable(error) => {
                host.log(Level::Debug, &format!("passing a body on without a fingerprint: {error}"));
                Decision::Undecodable
            }
        };
        if let Some(fingerprint) = fingerprint {
            host.set_request_header(FINGERPRINT_HEADER, &fingerprint.hex())?;
        }
        Ok((State::Passed, Some(outcome)))
    }

    /// Sends each share to its owner. `None`: not one was sent, and the body is to go on whole.
    fn split(
        &self,
        host: &impl Host,
        source: Source,
        body: Vec<u8>,
        alerts: usize,
        shares: Vec<Share>,
    ) -> Result<Option<(State, Option<Decision>)>, HostError> {
        let map = host.request_headers()?;
        let forward = Forward::parse(&map).ok_or(HostError::Malformed { call: "proxy_get_header_map_pairs" })?;
        if !forward.is_plain_json() {
            return Ok(None);
        }
        if let Some(refusal) = too_much_to_split(source, &self.config, body.len(), alerts, &shares) {
            return self.refuse(host, &refusal).map(Some);
        }
        let mut split = Split::new(Rc::clone(&self.config), source, forward, body, shares);
        Ok(match split.start(host) {
            Ok(()) => Some((State::Split(Box::new(split)), Some(Decision::Split))),
            Err(error) => {
                host.log(Level::Warn, &format!("passing a body on whole, it could not be split: {error}"));
                None
            }
        })
    }

    fn refuse(&self, host: &impl Host, refusal: &SignalResponse) -> Step {
        host.answer(refusal, TOO_LARGE)?;
        Ok((State::Answered, Some(Decision::TooLarge)))
    }

    /// Fails open: what the proxy could not do costs the request its affinity, never its delivery.
    fn settle(&mut self, host: &impl Host, step: Step) -> Action {
        let (state, outcome) = step.unwrap_or_else(|error| {
            host.log(Level::Warn, &format!("passing a request on without a fingerprint: {error}"));
            (State::Passed, Some(Decision::Error))
        });
        if let Some(outcome) = outcome {
            host.count(outcome);
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
            State::Held(_) | State::Split(_) | State::Answered => Action::Pause,
        }
    }
}

#[cfg(test)]
mod tests;
