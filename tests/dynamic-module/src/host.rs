//! Envoy as the core sees it: [`Host`] by calls of the ABI.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ptr;

use onceway_filter::header_map::serialize;
use onceway_filter::{Decision, Host, HostError, Level, SharedValue, SubRequest};
use onceway_signal::response::SignalResponse;
use onceway_signal::security_headers::SECURITY_HEADERS;

use crate::abi::{
    self, BUFFERED_REQUEST_BODY, Buffer, EnvoyFilter, Header, RECEIVED_REQUEST_BODY, REQUEST_HEADERS,
    envoy_dynamic_module_callback_http_clear_route_cache, envoy_dynamic_module_callback_http_filter_continue_decoding,
    envoy_dynamic_module_callback_http_filter_increment_counter, envoy_dynamic_module_callback_http_get_body_chunks,
    envoy_dynamic_module_callback_http_get_body_chunks_size, envoy_dynamic_module_callback_http_get_body_size,
    envoy_dynamic_module_callback_http_get_headers, envoy_dynamic_module_callback_http_get_headers_size,
    envoy_dynamic_module_callback_http_send_response, envoy_dynamic_module_callback_http_set_header,
    envoy_dynamic_module_callback_log,
};
use crate::plugin::Counters;

/// One stream's Envoy, during a hook.
pub(crate) struct EnvoyHost {
    filter: EnvoyFilter,
    counters: Counters,
    /// The route was selected again for headers that were set.
    rerouted: Cell<bool>,
}

impl EnvoyHost {
    pub(crate) const fn new(filter: EnvoyFilter, counters: Counters) -> Self {
        Self { filter, counters, rerouted: Cell::new(false) }
    }

    /// The size of the body so far, with the part that this hook is about.
    pub(crate) fn body_size(&self) -> usize {
        [BUFFERED_REQUEST_BODY, RECEIVED_REQUEST_BODY]
            // SAFETY: no pointers but the filter's, which Envoy passed.
            .map(|body| unsafe { envoy_dynamic_module_callback_http_get_body_size(self.filter, body) })
            .iter()
            .sum()
    }

    fn append_body(&self, body: u32, result: &mut Vec<u8>) {
        // SAFETY: no pointers but the filter's, which Envoy passed.
        let count = unsafe { envoy_dynamic_module_callback_http_get_body_chunks_size(self.filter, body) };
        let mut chunks = vec![Buffer::NONE; count];
        // SAFETY: there is room for as many chunks as Envoy has.
        if unsafe { envoy_dynamic_module_callback_http_get_body_chunks(self.filter, body, chunks.as_mut_ptr()) } {
            // SAFETY: nothing has changed the body since.
            chunks.into_iter().for_each(|chunk| result.extend_from_slice(unsafe { chunk.bytes() }));
        }
    }

    fn set(&self, name: &[u8], value: Buffer) -> Result<(), HostError> {
        // SAFETY: Envoy reads the name and the value during the call only.
        let set = unsafe {
            envoy_dynamic_module_callback_http_set_header(self.filter, REQUEST_HEADERS, Buffer::of(name), value)
        };
        set.then_some(()).ok_or(FAILED)
    }
}

/// The ABI's calls say only whether they failed.
const FAILED: HostError = HostError::Status { call: "envoy_dynamic_module_callback", status: 1 };

impl Host for EnvoyHost {
    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        // SAFETY: no pointers but the filter's, which Envoy passed.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.filter, REQUEST_HEADERS) };
        let mut headers = vec![Header::NONE; count];
        // SAFETY: there is room for as many headers as Envoy has.
        let got = unsafe {
            envoy_dynamic_module_callback_http_get_headers(self.filter, REQUEST_HEADERS, headers.as_mut_ptr())
        };
        if !got {
            return Err(FAILED);
        }
        // SAFETY: nothing has changed the headers since.
        let text = |header: &Header| unsafe { (header.name.bytes(), header.value.bytes()) };
        Ok(serialize(&headers.iter().map(text).collect::<Vec<_>>()))
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        self.set(name, Buffer::NONE)
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.set(name.as_bytes(), Buffer::of(value.as_bytes()))?;
        // Envoy does so itself for a header that a proxy-wasm filter sets.
        if !self.rerouted.replace(true) {
            // SAFETY: no pointers but the filter's, which Envoy passed.
            unsafe { envoy_dynamic_module_callback_http_clear_route_cache(self.filter) };
        }
        Ok(())
    }

    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        let mut body = Vec::with_capacity(self.body_size());
        self.append_body(BUFFERED_REQUEST_BODY, &mut body);
        self.append_body(RECEIVED_REQUEST_BODY, &mut body);
        body.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(body)
    }

    fn route_cluster(&self) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }

    fn respond(&self, response: &SignalResponse, details: &'static str) -> Result<(), HostError> {
        let body = response.to_json();
        let header = |(name, value): (&str, &str)| Header {
            name: Buffer::of(name.as_bytes()),
            value: Buffer::of(value.as_bytes()),
        };
        let seconds = response.retry_after_s().map(|seconds| seconds.to_string());
        let own = [("content-type", Some(response.media_type())), ("retry-after", seconds.as_deref())];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let headers: Vec<Header> = own.chain(SECURITY_HEADERS).map(header).collect();
        // SAFETY: Envoy reads headers, body and details during the call only.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.filter,
                u32::from(response.status()),
                headers.as_ptr(),
                headers.len(),
                Buffer::of(&body),
                Buffer::of(details.as_bytes()),
            );
        }
        Ok(())
    }

    fn resume(&self) -> Result<(), HostError> {
        // SAFETY: no pointers but the filter's, which Envoy passed.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_decoding(self.filter) };
        Ok(())
    }

    /// Not measured, so never sent.
    fn dispatch(&self, _request: SubRequest<'_>) -> Result<u32, HostError> {
        Err(FAILED)
    }

    fn sub_response_headers(&self) -> Result<Vec<u8>, HostError> {
        Err(FAILED)
    }

    fn sub_response_body(&self, _limit: u32) -> Result<Vec<u8>, HostError> {
        Err(FAILED)
    }

    /// Only sub-requests need it.
    fn now_ms(&self) -> Result<u64, HostError> {
        Err(FAILED)
    }

    /// Only split bodies need it.
    fn shared(&self, _key: &str) -> Result<Option<SharedValue>, HostError> {
        Err(FAILED)
    }

    fn set_shared(&self, _key: &str, _bytes: &[u8], _version: Option<NonZeroU32>) -> Result<bool, HostError> {
        Err(FAILED)
    }

    fn count(&self, decision: Decision) {
        if let Some(id) = self.counters.id(decision) {
            // SAFETY: there are no labels.
            unsafe {
                envoy_dynamic_module_callback_http_filter_increment_counter(self.filter, id, ptr::null_mut(), 0, 1);
            }
        }
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => abi::DEBUG,
            Level::Warn => abi::WARN,
            Level::Error => abi::ERROR,
        };
        // SAFETY: Envoy reads the message during the call only.
        unsafe { envoy_dynamic_module_callback_log(level, Buffer::of(message.as_bytes())) };
    }
}
