//! An in-memory proxy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::rc::Rc;

use onceway_signal::FINGERPRINT_HEADER;
use onceway_signal::response::SignalResponse;

use crate::header_map::{serialize, visit};
use crate::{Decision, Host, HostError, Level, Request, SharedValue, SubRequest, SubResponse};

/// A method of [`Host`] that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Headers,
    Remove,
    Set,
    Body,
    RouteCluster,
    Respond,
    Resume,
    Dispatch,
    SubResponseHeaders,
    SubResponseBody,
    Now,
    Shared,
    SetShared,
}

impl Call {
    pub(crate) const ALL: [Call; 13] = [
        Call::Headers,
        Call::Remove,
        Call::Set,
        Call::Body,
        Call::RouteCluster,
        Call::Respond,
        Call::Resume,
        Call::Dispatch,
        Call::SubResponseHeaders,
        Call::SubResponseBody,
        Call::Now,
        Call::Shared,
        Call::SetShared,
    ];
}

/// A sub-request as the proxy received it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) token: u32,
    pub(crate) cluster: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) timeout_ms: u32,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type BeforeWrite = Box<dyn FnOnce(&FakeHost)>;

#[derive(Default)]
pub(crate) struct FakeHost {
    failing: Option<Call>,
    /// Done before the next write of shared data.
    before_shared_write: RefCell<Option<BeforeWrite>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Serialised.
    headers: Vec<u8>,
    body: Vec<u8>,
    calls: Vec<Call>,
    counted: Vec<Decision>,
    /// The cluster of the request's route.
    route_cluster: Option<Vec<u8>>,
    response: Option<SignalResponse>,
    logged: Vec<String>,
    sent: Vec<Sent>,
    /// Tokens without a sub-response.
    in_flight: Vec<u32>,
    /// How many sub-requests may be in flight at once.
    breaker: Option<usize>,
    sub_response: (Vec<u8>, Vec<u8>),
    now_ms: u64,
    shared: Rc<RefCell<SharedData>>,
}

/// What a proxy keeps for its workers.
#[derive(Default)]
struct SharedData {
    values: HashMap<String, SharedValue>,
    writes: u32,
}

impl FakeHost {
    pub(crate) fn new(headers: &[(&str, &str)]) -> FakeHost {
        FakeHost::with_map(map(headers))
    }

    /// A `POST` of JSON.
    pub(crate) fn post(path: &str) -> FakeHost {
        FakeHost::new(&[(":method", "POST"), (":path", path), ("content-type", "application/json")])
    }

    /// A proxy whose header map is malformed.
    pub(crate) fn malformed() -> FakeHost {
        FakeHost::with_map(vec![0xff; 16])
    }

    fn with_map(headers: Vec<u8>) -> FakeHost {
        let route_cluster = Some(b"onceway".to_vec());
        FakeHost { state: RefCell::new(State { headers, route_cluster, ..State::default() }), ..FakeHost::default() }
    }

    pub(crate) fn with(self, name: &str, value: &str) -> FakeHost {
        self.replace(name.as_bytes(), Some(value.as_bytes()));
        self
    }

    pub(crate) fn failing(mut self, call: Call) -> FakeHost {
        self.failing = Some(call);
        self
    }

    /// Sets the value of the property that names the route's cluster.
    pub(crate) fn route_cluster(self, name: Option<&[u8]>) -> FakeHost {
        self.state.borrow_mut().route_cluster = name.map(<[u8]>::to_vec);
        self
    }

    /// Another worker of the same proxy.
    pub(crate) fn beside(self, other: &FakeHost) -> FakeHost {
        self.state.borrow_mut().shared = Rc::clone(&other.state.borrow().shared);
        self
    }

    /// Another worker does this before the next write of shared data.
    pub(crate) fn before_shared_write(self, act: impl FnOnce(&FakeHost) + 'static) -> FakeHost {
        self.before_shared_write.replace(Some(Box::new(act)));
        self
    }

    /// From now on, `in_flight` sub-requests may be in flight at once.
    pub(crate) fn breaker(&self, in_flight: usize) {
        self.state.borrow_mut().breaker = Some(in_flight);
    }

    pub(crate) fn pass_time(&self, ms: u64) {
        self.state.borrow_mut().now_ms += ms;
    }

    /// Sets the body buffered so far.
    pub(crate) fn buffer(&self, body: &[u8]) {
        self.state.borrow_mut().body = body.to_vec();
    }

    /// Delivers a sub-response.
    pub(crate) fn deliver(&self, request: &mut Request, token: u32, headers: &[(&str, &str)], body: &str) {
        let mut state = self.state.borrow_mut();
        state.sub_response = (map(headers), body.as_bytes().to_vec());
        state.in_flight.retain(|in_flight| *in_flight != token);
        drop(state);
        request.on_sub_response(self, SubResponse { token, headers: headers.len(), body_bytes: body.len() });
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let state = self.state.borrow();
        read(&state.headers).into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).next_back()
    }

    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.header(FINGERPRINT_HEADER)
    }

    pub(crate) fn calls(&self, call: Call) -> usize {
        self.state.borrow().calls.iter().filter(|made| **made == call).count()
    }

    pub(crate) fn counted(&self) -> Vec<Decision> {
        self.state.borrow().counted.clone()
    }

    pub(crate) fn response(&self) -> Option<SignalResponse> {
        self.state.borrow().response.clone()
    }

    pub(crate) fn logged(&self) -> Vec<String> {
        self.state.borrow().logged.clone()
    }

    /// The sub-requests so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state.borrow().sent.clone()
    }

    /// The tokens without a sub-response.
    pub(crate) fn in_flight(&self) -> Vec<u32> {
        self.state.borrow().in_flight.clone()
    }

    fn enter(&self, call: Call) -> Result<(), HostError> {
        self.state.borrow_mut().calls.push(call);
        if self.failing == Some(call) { Err(FAILED) } else { Ok(()) }
    }

    fn replace(&self, name: &[u8], value: Option<&[u8]>) {
        let mut state = self.state.borrow_mut();
        let mut kept = Vec::new();
        visit(&state.headers, |key, old| {
            if key != name {
                kept.push((key, old));
            }
        });
        kept.extend(value.map(|value| (name, value)));
        let headers = serialize(&kept);
        state.headers = headers;
    }
}

const FAILED: HostError = HostError::Status { call: "fake", status: 10 };

fn map(headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    serialize(&headers)
}

fn read(map: &[u8]) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    visit(map, |key, value| headers.push((text(key), text(value))));
    headers
}

impl Host for FakeHost {
    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        self.enter(Call::Headers)?;
        Ok(self.state.borrow().headers.clone())
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        self.enter(Call::Remove)?;
        self.replace(name, None);
        Ok(())
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.enter(Call::Set)?;
        self.replace(name.as_bytes(), Some(value.as_bytes()));
        Ok(())
    }

    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        self.enter(Call::Body)?;
        Ok(self.state.borrow().body.iter().copied().take(limit as usize).collect())
    }

    fn route_cluster(&self) -> Result<Option<Vec<u8>>, HostError> {
        self.enter(Call::RouteCluster)?;
        Ok(self.state.borrow().route_cluster.clone())
    }

    fn respond(&self, response: &SignalResponse, _details: &'static str) -> Result<(), HostError> {
        self.enter(Call::Respond)?;
        assert!(self.state.borrow_mut().response.replace(response.clone()).is_none(), "one request, one response");
        Ok(())
    }

    fn resume(&self) -> Result<(), HostError> {
        self.enter(Call::Resume)
    }

    fn dispatch(&self, request: SubRequest<'_>) -> Result<u32, HostError> {
        self.enter(Call::Dispatch)?;
        let mut state = self.state.borrow_mut();
        if state.breaker.is_some_and(|breaker| state.in_flight.len() >= breaker) {
            return Err(FAILED);
        }
        let token = u32::try_from(state.sent.len()).unwrap() + 100;
        state.in_flight.push(token);
        state.sent.push(Sent {
            token,
            cluster: request.cluster.to_owned(),
            headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: String::from_utf8(request.body.to_vec()).unwrap(),
            timeout_ms: request.timeout_ms,
        });
        Ok(token)
    }

    fn sub_response_headers(&self) -> Result<Vec<u8>, HostError> {
        self.enter(Call::SubResponseHeaders)?;
        Ok(self.state.borrow().sub_response.0.clone())
    }

    fn sub_response_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        self.enter(Call::SubResponseBody)?;
        Ok(self.state.borrow().sub_response.1.iter().copied().take(limit as usize).collect())
    }

    fn now_ms(&self) -> Result<u64, HostError> {
        self.enter(Call::Now)?;
        Ok(self.state.borrow().now_ms)
    }

    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError> {
        self.enter(Call::Shared)?;
        Ok(self.state.borrow().shared.borrow().values.get(key).cloned())
    }

    fn set_shared(&self, key: &str, bytes: &[u8], version: Option<NonZeroU32>) -> Result<bool, HostError> {
        self.enter(Call::SetShared)?;
        let before = self.before_shared_write.take();
        before.into_iter().for_each(|act| act(self));
        let state = self.state.borrow();
        let mut shared = state.shared.borrow_mut();
        let found = shared.values.get(key).and_then(|value| value.version);
        if version.is_some() && found != version {
            return Ok(false);
        }
        shared.writes += 1;
        let value = SharedValue { bytes: bytes.to_vec(), version: NonZeroU32::new(shared.writes) };
        shared.values.insert(key.to_owned(), value);
        Ok(true)
    }

    fn count(&self, decision: Decision) {
        self.state.borrow_mut().counted.push(decision);
    }

    fn log(&self, _level: Level, message: &str) {
        self.state.borrow_mut().logged.push(message.to_owned());
    }
}
