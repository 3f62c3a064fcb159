//! One request through the filter: Envoy's calls in Envoy's order (`allow_on_headers_stop_iteration: true`), and the
//! effect of the filter's actions.
//!
//! While the filter pauses a request, its body is buffered and each call passes the size of the whole buffer. After it
//! continues, the headers are gone and each chunk passes separately.

use std::mem::take;

use wasmtime::Result;

use super::proxy::Stream;
use super::{End, Host, ROOT_CONTEXT, Request, RequestResult};

/// The filter's action "continue".
const CONTINUE: u32 = 0;

/// Sends a request through the filter in a context of its own.
pub(super) fn run(host: &mut Host, context: u32, request: Request) -> RequestResult {
    let proxy = host.store.data_mut();
    proxy.stream = Stream { context, headers: request.headers.clone(), has_headers: true, ..Stream::default() };
    let lines_before = proxy.log.len();
    let mut exchange = Exchange { host, context, paused: false, passed: Vec::new() };
    let end = exchange.run(&request).unwrap_or_else(|trap| End::Trapped(format!("{trap:?}")));
    let proxy = host.store.data_mut();
    let stream = take(&mut proxy.stream);
    let log = proxy.log.split_off(lines_before);
    let Stream { fuel, host_calls, entries, sub_requests, headers, counted, .. } = stream;
    RequestResult { end, log, fuel, host_calls, entries, sub_requests, headers, counted }
}

struct Exchange<'a> {
    host: &'a mut Host,
    context: u32,
    /// The filter pauses the request.
    paused: bool,
    /// The part of the body that went upstream.
    passed: Vec<u8>,
}

impl Exchange<'_> {
    fn run(&mut self, request: &Request) -> Result<End> {
        self.host.call("proxy_on_context_create", &[self.context, ROOT_CONTEXT])?;
        self.send(request)?;
        if request.leaves {
            if request.cancels {
                self.host.store.data_mut().in_flight.clear();
            }
            self.close()?;
            self.deliver_sub_responses()?;
            return Ok(End::Abandoned);
        }
        self.deliver_sub_responses()?;
        let end = self.end(request);
        if matches!(end, End::Passed(_) | End::Responded(_)) {
            self.receive_response()?;
        }
        self.close()?;
        Ok(end)
    }

    /// A response with a body passes the filter, be it the upstream's or the filter's own.
    fn receive_response(&mut self) -> Result<()> {
        self.host.call_if_exported("proxy_on_response_headers", &[self.context, 4, 0])?;
        self.host.call_if_exported("proxy_on_response_body", &[self.context, 200, 1])?;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.host.call_if_exported("proxy_on_log", &[self.context])?;
        for event in ["proxy_on_done", "proxy_on_delete"] {
            self.host.call(event, &[self.context])?;
        }
        Ok(())
    }

    /// Delivers sub-responses until none is in flight. Envoy calls them in the plugin's context, not in the request's.
    fn deliver_sub_responses(&mut self) -> Result<()> {
        while !self.host.store.data().in_flight.is_empty() {
            let (index, response) = (self.host.responder)(&self.host.store.data().in_flight);
            let proxy = self.host.store.data_mut();
            let token = proxy.in_flight.remove(index).token;
            let (headers, body) = (u32::try_from(response.headers.len())?, u32::try_from(response.body.len())?);
            proxy.sub_response = Some(response);
            self.host.call("proxy_on_http_call_response", &[ROOT_CONTEXT, token, headers, body, 0])?;
            let proxy = self.host.store.data_mut();
            proxy.sub_response = None;
            if take(&mut proxy.stream.resumed) {
                self.paused = false;
                self.passed.append(&mut proxy.stream.body);
            }
        }
        Ok(())
    }

    fn end(&mut self, request: &Request) -> End {
        match self.host.store.data_mut().stream.local_response.take() {
            Some(response) => End::Responded(response),
            None if !self.paused => End::Passed(take(&mut self.passed)),
            None if request.hangs_up => End::Abandoned,
            None => End::Hung,
        }
    }

    fn send(&mut self, request: &Request) -> Result<()> {
        let open_ended = request.trailers || request.hangs_up;
        let headers = u32::try_from(request.headers.len())?;
        let ends = request.chunks.is_empty() && !open_ended;
        self.event("proxy_on_request_headers", &[headers, u32::from(ends)])?;
        for (index, chunk) in request.chunks.iter().enumerate() {
            let ends = index + 1 == request.chunks.len() && !open_ended;
            if !self.has_response() {
                self.push(chunk, ends)?;
            }
        }
        if request.trailers && !self.has_response() {
            self.event("proxy_on_request_trailers", &[1])?;
        }
        Ok(())
    }

    fn push(&mut self, chunk: &[u8], ends: bool) -> Result<()> {
        let body = &mut self.host.store.data_mut().stream.body;
        body.extend_from_slice(chunk);
        let buffered = u32::try_from(body.len())?;
        self.event("proxy_on_request_body", &[buffered, u32::from(ends)])
    }

    /// Calls the filter with an event and applies its action.
    fn event(&mut self, event: &str, arguments: &[u32]) -> Result<()> {
        let action = self.host.call(event, &[&[self.context], arguments].concat())?;
        self.paused = action != CONTINUE;
        if !self.paused && !self.has_response() {
            let stream = &mut self.host.store.data_mut().stream;
            stream.has_headers = false;
            self.passed.append(&mut stream.body);
        }
        Ok(())
    }

    fn has_response(&self) -> bool {
        self.host.store.data().stream.local_response.is_some()
    }
}
