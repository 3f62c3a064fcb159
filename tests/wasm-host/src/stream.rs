//! One request on its way through the filter: the calls that Envoy makes, in Envoy's order, and what it does with the
//! filter's decisions (`allow_on_headers_stop_iteration: true`).
//!
//! While the filter holds a request, its body is buffered, and each call is told the size of all that is buffered. Once
//! it goes on, the headers are gone, and each piece of the body passes by itself.

use std::mem::take;

use wasmtime::Result;

use super::proxy::Stream;
use super::{Answer, End, Host, ROOT_CONTEXT, Request};

/// The filter's word for "send on what there is".
const CONTINUE: u32 = 0;

/// Sends a request through the filter in a context of its own.
pub(super) fn run(host: &mut Host, context: u32, request: Request) -> Answer {
    let proxy = host.store.data_mut();
    proxy.stream = Stream { context, headers: request.headers.clone(), has_headers: true, ..Stream::default() };
    let lines_before = proxy.log.len();
    let mut course = Course { host, context, held: false, passed: Vec::new() };
    let end = course.run(&request).unwrap_or_else(|trap| End::Trapped(format!("{trap:?}")));
    let proxy = host.store.data_mut();
    let stream = take(&mut proxy.stream);
    let log = proxy.log.split_off(lines_before);
    let Stream { fuel, http_calls, headers, counted, .. } = stream;
    Answer { end, log, fuel, http_calls, headers, counted }
}

struct Course<'a> {
    host: &'a mut Host,
    context: u32,
    /// Whether the filter holds the request.
    held: bool,
    /// The part of the body that has gone upstream.
    passed: Vec<u8>,
}

impl Course<'_> {
    fn run(&mut self, request: &Request) -> Result<End> {
        self.host.call("proxy_on_context_create", &[self.context, ROOT_CONTEXT])?;
        self.send(request)?;
        if request.leaves {
            self.close()?;
            self.reply_to_calls()?;
            return Ok(End::Abandoned);
        }
        self.reply_to_calls()?;
        let end = self.end(request);
        self.close()?;
        Ok(end)
    }

    fn close(&mut self) -> Result<()> {
        for event in ["proxy_on_done", "proxy_on_delete"] {
            self.host.call(event, &[self.context])?;
        }
        Ok(())
    }

    /// Replies to the filter's own requests until none is in flight. The plugin is told, not the request.
    fn reply_to_calls(&mut self) -> Result<()> {
        while !self.host.store.data().in_flight.is_empty() {
            let (place, reply) = (self.host.replying)(&self.host.store.data().in_flight);
            let proxy = self.host.store.data_mut();
            let token = proxy.in_flight.remove(place).token;
            let (headers, body) = (u32::try_from(reply.headers.len())?, u32::try_from(reply.body.len())?);
            proxy.reply = Some(reply);
            self.host.call("proxy_on_http_call_response", &[ROOT_CONTEXT, token, headers, body, 0])?;
            let proxy = self.host.store.data_mut();
            proxy.reply = None;
            if take(&mut proxy.stream.resumed) {
                self.held = false;
                self.passed.append(&mut proxy.stream.body);
            }
        }
        Ok(())
    }

    fn end(&mut self, request: &Request) -> End {
        match self.host.store.data_mut().stream.local_response.take() {
            Some(response) => End::Answered(response),
            None if !self.held => End::Passed(take(&mut self.passed)),
            None if request.hangs_up => End::Abandoned,
            None => End::Hung,
        }
    }

    fn send(&mut self, request: &Request) -> Result<()> {
        let open_ended = request.trailers || request.hangs_up;
        let headers = u32::try_from(request.headers.len())?;
        let ends = request.chunks.is_empty() && !open_ended;
        self.decide("proxy_on_request_headers", &[headers, u32::from(ends)])?;
        for (index, chunk) in request.chunks.iter().enumerate() {
            let ends = index + 1 == request.chunks.len() && !open_ended;
            if !self.is_answered() {
                self.push(chunk, ends)?;
            }
        }
        if request.trailers && !self.is_answered() {
            self.decide("proxy_on_request_trailers", &[1])?;
        }
        Ok(())
    }

    fn push(&mut self, chunk: &[u8], ends: bool) -> Result<()> {
        let body = &mut self.host.store.data_mut().stream.body;
        body.extend_from_slice(chunk);
        let buffered = u32::try_from(body.len())?;
        self.decide("proxy_on_request_body", &[buffered, u32::from(ends)])
    }

    /// Tells the filter of an event, and does as it says.
    fn decide(&mut self, event: &str, arguments: &[u32]) -> Result<()> {
        let action = self.host.call(event, &[&[self.context], arguments].concat())?;
        self.held = action != CONTINUE;
        if !self.held && !self.is_answered() {
            let stream = &mut self.host.store.data_mut().stream;
            stream.has_headers = false;
            self.passed.append(&mut stream.body);
        }
        Ok(())
    }

    fn is_answered(&self) -> bool {
        self.host.store.data().stream.local_response.is_some()
    }
}
