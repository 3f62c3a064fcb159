//! The oracle: the filter's core, compiled natively, in a proxy of plain data. It makes the same calls into the filter
//! as the module's host, in the same order.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;

use onceway_filter::header_map::serialize;
use onceway_filter::{Action, Config, Decision, Host, HostError, Level, Request, SharedValue, SubRequest, SubResponse};
use onceway_signal::response::SignalResponse;
use onceway_signal::security_headers::SECURITY_HEADERS;
use onceway_wasm_host::{
    DECISION_METRIC_PREFIX, End, LocalResponse, SubRequest as SentSubRequest, SubResponse as DeliveredSubResponse,
};

use super::case::Case;
use super::seen::{Behavior, token, with_one_id};

/// The error of a host call that the proxy cannot serve.
const FAILED: HostError = HostError::Status { call: "native", status: 10 };

#[derive(Default)]
struct Native(RefCell<State>);

#[derive(Default)]
struct State {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    response: Option<LocalResponse>,
    breaker: usize,
    calls: Vec<SentSubRequest>,
    in_flight: Vec<u32>,
    sub_response: DeliveredSubResponse,
    decisions: Vec<String>,
}

/// Sends a request through the native core.
pub(super) fn run(case: &Case, config: &str, breaker: usize) -> Behavior {
    let headers = case.request.headers.clone();
    let host = Native(RefCell::new(State { headers, breaker, ..State::default() }));
    let config = Config::from_json(config.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let mut request = Request::new(Rc::new(config), Rc::default());
    let (held, passed) = send(case, &host, &mut request);
    if case.request.leaves {
        return host.behavior(End::Abandoned);
    }
    reply_to_calls(case, &host, &mut request);
    let response = host.0.borrow_mut().response.take();
    let end = match response {
        Some(response) => End::Responded(response),
        None if !held => End::Passed(passed),
        None if case.request.hangs_up => End::Abandoned,
        None => End::Hung,
    };
    host.behavior(end)
}

/// Sends headers, chunks and trailers. Returns whether the filter holds the request, and the body that went upstream.
fn send(case: &Case, host: &Native, request: &mut Request) -> (bool, Vec<u8>) {
    let wanted = &case.request;
    let open_ended = wanted.trailers || wanted.hangs_up;
    let (mut passed, mut held) = (Vec::new(), false);
    let mut after = |action: Action, passed: &mut Vec<u8>| {
        held = action == Action::Pause;
        let mut state = host.0.borrow_mut();
        if !held && state.response.is_none() {
            passed.append(&mut state.body);
        }
        state.response.is_some()
    };
    let mut answered = after(request.on_headers(host, wanted.chunks.is_empty() && !open_ended), &mut passed);
    for (index, chunk) in wanted.chunks.iter().enumerate() {
        if !answered {
            host.0.borrow_mut().body.extend_from_slice(chunk);
            let (buffered, ends) = (host.0.borrow().body.len(), index + 1 == wanted.chunks.len() && !open_ended);
            answered = after(request.on_body(host, buffered, ends), &mut passed);
        }
    }
    if wanted.trailers && !answered {
        after(request.on_trailers(host), &mut passed);
    }
    (held, passed)
}

fn reply_to_calls(case: &Case, host: &Native, request: &mut Request) {
    let mut responses = case.sub_responses();
    loop {
        let in_flight = host.0.borrow().in_flight.clone();
        if in_flight.is_empty() {
            return;
        }
        let authority = |place: usize| host.0.borrow().calls[in_flight[place] as usize].authority().to_owned();
        let (place, delivered) = responses.next(in_flight.len(), authority);
        let announced =
            SubResponse { token: in_flight[place], headers: delivered.headers.len(), body_bytes: delivered.body.len() };
        let mut state = host.0.borrow_mut();
        state.in_flight.remove(place);
        state.sub_response = delivered;
        drop(state);
        request.on_sub_response(host, announced);
    }
}

impl Native {
    fn behavior(self, end: End) -> Behavior {
        let State { headers, calls, decisions, .. } = self.0.into_inner();
        Behavior { end, headers, calls: with_one_id(calls), decisions }
    }
}

fn map(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let headers: Vec<(&[u8], &[u8])> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    serialize(&headers)
}

impl Host for Native {
    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        Ok(map(&self.0.borrow().headers))
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        self.0.borrow_mut().headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        Ok(())
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.remove_request_header(name.as_bytes())?;
        self.0.borrow_mut().headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Ok(())
    }

    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        Ok(self.0.borrow().body.iter().copied().take(limit as usize).collect())
    }

    fn route_cluster(&self) -> Result<Option<Vec<u8>>, HostError> {
        Ok(Some(b"onceway".to_vec()))
    }

    fn respond(&self, answer: &SignalResponse, details: &'static str) -> Result<(), HostError> {
        let mut headers = vec![("content-type".to_owned(), answer.media_type().to_owned())];
        headers.extend(answer.retry_after_s().map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
        headers.extend(SECURITY_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let body = String::from_utf8(answer.to_json()).map_err(|_| FAILED)?;
        let response = LocalResponse { status: answer.status().into(), details: details.to_owned(), headers, body };
        self.0.borrow_mut().response.get_or_insert(response);
        Ok(())
    }

    fn resume(&self) -> Result<(), HostError> {
        Err(FAILED)
    }

    fn dispatch(&self, request: SubRequest<'_>) -> Result<u32, HostError> {
        let mut state = self.0.borrow_mut();
        let number = token(state.calls.len());
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let map = serialize(&headers);
        let call = SentSubRequest::new(number, request.cluster, &map, request.body, request.timeout_ms);
        let call = call.ok_or(FAILED)?;
        if !call.is_complete() || state.in_flight.len() >= state.breaker {
            return Err(FAILED);
        }
        state.in_flight.push(number);
        state.calls.push(call);
        Ok(number)
    }

    fn sub_response_headers(&self) -> Result<Vec<u8>, HostError> {
        Ok(map(&self.0.borrow().sub_response.headers))
    }

    fn sub_response_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        Ok(self.0.borrow().sub_response.body.iter().copied().take(limit as usize).collect())
    }

    fn now_ms(&self) -> Result<u64, HostError> {
        Ok(1000)
    }

    /// A case is one request: nothing has failed before it.
    fn shared(&self, _key: &str) -> Result<Option<SharedValue>, HostError> {
        Ok(None)
    }

    fn set_shared(&self, _key: &str, _bytes: &[u8], _version: Option<NonZeroU32>) -> Result<bool, HostError> {
        Ok(true)
    }

    fn count(&self, decision: Decision) {
        let name = decision.metric();
        self.0.borrow_mut().decisions.push(name.strip_prefix(DECISION_METRIC_PREFIX).unwrap_or(name).to_owned());
    }

    fn log(&self, _level: Level, _message: &str) {}
}
