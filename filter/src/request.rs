//! One request, from its headers to its end: a state machine over the [`Host`].
//!
//! The proxy's events go in, and what it shall do next comes out. Every way through it ends: a request that is held is
//! let go or refused at the end of its body, at its trailers, at the limit of its size, or when the proxy drops the stream.

use onceway_signal::Source;

use crate::head::Head;
use crate::{Affinity, Config, FINGERPRINT_HEADER, Host, HostError, Level, Outcome, Problem, affinity};

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
    max_body_bytes: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It goes on: it is none of ours, or we are done with it.
    Passed,
    /// It is held until its body is complete.
    Held(Source),
    /// It has been answered; nothing of it may go upstream.
    Refused,
}

/// The state that an event leads to, and what is to be counted for it.
type Step = Result<(State, Option<Outcome>), HostError>;

impl Request {
    /// A request of which nothing has been seen.
    pub fn new(config: Config) -> Request {
        Request { max_body_bytes: config.max_body_bytes, state: State::Passed }
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
            self.refuse(host)
        } else if end_of_stream {
            self.mark(host, source)
        } else {
            return Action::Pause;
        };
        self.settle(host, step)
    }

    /// The trailers are there. They end the request: where there are trailers, the body's end is never announced.
    pub fn on_trailers(&mut self, host: &impl Host) -> Action {
        let State::Held(source) = self.state else { return self.action() };
        let step = self.mark(host, source);
        self.settle(host, step)
    }

    fn enter(&self, host: &impl Host, end_of_stream: bool) -> Step {
        let map = host.request_headers()?;
        let head = Head::parse(&map).ok_or(HostError::Malformed { call: "proxy_get_header_map_pairs" })?;
        for name in head.spoofed {
            host.remove_request_header(name)?;
        }
        let Some(source) = head.source else { return Ok((State::Passed, None)) };
        if end_of_stream {
            return Ok((State::Passed, Some(Outcome::Nothing)));
        }
        if head.content_length.is_some_and(|length| length > u64::from(self.max_body_bytes)) {
            return self.refuse(host);
        }
        Ok((State::Held(source), None))
    }

    fn mark(&self, host: &impl Host, source: Source) -> Step {
        let body = host.request_body(self.max_body_bytes)?;
        if body.is_empty() {
            return Ok((State::Passed, Some(Outcome::Nothing)));
        }
        let affinity = affinity(source, &body);
        if let Some(fingerprint) = affinity.fingerprint() {
            host.set_request_header(FINGERPRINT_HEADER, &fingerprint.hex())?;
        }
        let outcome = match affinity {
            Affinity::One(_) => Outcome::Fingerprinted,
            Affinity::Several { .. } => Outcome::Several,
            Affinity::Nothing => Outcome::Nothing,
            Affinity::Undecodable(error) => {
                host.log(Level::Debug, &format!("passing a body on without a fingerprint: {error}"));
                Outcome::Undecodable
            }
        };
        Ok((State::Passed, Some(outcome)))
    }

    fn refuse(&self, host: &impl Host) -> Step {
        host.refuse(&Problem::payload_too_large(self.max_body_bytes))?;
        Ok((State::Refused, Some(Outcome::TooLarge)))
    }

    /// Fails open: what the proxy could not do costs the request its affinity, never its delivery.
    fn settle(&mut self, host: &impl Host, step: Step) -> Action {
        let (state, outcome) = step.unwrap_or_else(|error| {
            host.log(Level::Warn, &format!("passing a request on without a fingerprint: {error}"));
            (State::Passed, Some(Outcome::Error))
        });
        if let Some(outcome) = outcome {
            host.count(outcome);
        }
        self.state = state;
        self.action()
    }

    fn is_too_large(&self, size: usize) -> bool {
        u32::try_from(size).map_or(true, |size| size > self.max_body_bytes)
    }

    fn action(&self) -> Action {
        match self.state {
            State::Passed => Action::Continue,
            State::Held(_) | State::Refused => Action::Pause,
        }
    }
}

#[cfg(test)]
mod tests;
