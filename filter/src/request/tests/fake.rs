//! A proxy made of plain data.

use std::cell::RefCell;

use crate::header_map::{serialize, visit};
use crate::{FINGERPRINT_HEADER, Host, HostError, Level, Outcome, Problem};

/// A call of the [`Host`] that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Headers,
    Remove,
    Set,
    Body,
    Refuse,
}

impl Call {
    pub(super) const ALL: [Call; 5] = [Call::Headers, Call::Remove, Call::Set, Call::Body, Call::Refuse];
}

#[derive(Default)]
pub(super) struct FakeHost {
    failing: Option<Call>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Serialised, as a proxy hands them out.
    headers: Vec<u8>,
    body: Vec<u8>,
    calls: Vec<Call>,
    counted: Vec<Outcome>,
    refusal: Option<Problem>,
    logged: Vec<String>,
}

impl FakeHost {
    pub(super) fn new(headers: &[(&str, &str)]) -> FakeHost {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        FakeHost::with_map(serialize(&headers))
    }

    pub(super) fn post(path: &str) -> FakeHost {
        FakeHost::new(&[(":method", "POST"), (":path", path)])
    }

    /// One whose header map is none.
    pub(super) fn malformed() -> FakeHost {
        FakeHost::with_map(vec![0xff; 16])
    }

    fn with_map(headers: Vec<u8>) -> FakeHost {
        FakeHost { failing: None, state: RefCell::new(State { headers, ..State::default() }) }
    }

    pub(super) fn with(self, name: &str, value: &str) -> FakeHost {
        self.replace(name.as_bytes(), Some(value.as_bytes()));
        self
    }

    pub(super) fn failing(mut self, call: Call) -> FakeHost {
        self.failing = Some(call);
        self
    }

    /// What of the body is there from now on.
    pub(super) fn buffer(&self, body: &[u8]) {
        self.state.borrow_mut().body = body.to_vec();
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let state = self.state.borrow();
        let mut found = None;
        visit(&state.headers, |key, value| {
            if key == name.as_bytes() {
                found = Some(String::from_utf8(value.to_vec()).unwrap());
            }
        });
        found
    }

    pub(super) fn fingerprint(&self) -> Option<String> {
        self.header(FINGERPRINT_HEADER)
    }

    pub(super) fn calls(&self, call: Call) -> usize {
        self.state.borrow().calls.iter().filter(|made| **made == call).count()
    }

    pub(super) fn counted(&self) -> Vec<Outcome> {
        self.state.borrow().counted.clone()
    }

    pub(super) fn refusal(&self) -> Option<Problem> {
        self.state.borrow().refusal.clone()
    }

    pub(super) fn logged(&self) -> Vec<String> {
        self.state.borrow().logged.clone()
    }

    fn enter(&self, call: Call) -> Result<(), HostError> {
        self.state.borrow_mut().calls.push(call);
        if self.failing == Some(call) { Err(HostError::Status { call: "fake", status: 10 }) } else { Ok(()) }
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

    fn refuse(&self, problem: &Problem) -> Result<(), HostError> {
        self.enter(Call::Refuse)?;
        self.state.borrow_mut().refusal = Some(problem.clone());
        Ok(())
    }

    fn count(&self, outcome: Outcome) {
        self.state.borrow_mut().counted.push(outcome);
    }

    fn log(&self, _level: Level, message: &str) {
        self.state.borrow_mut().logged.push(message.to_owned());
    }
}
