//! The calls into the proxy: those functions of proxy-wasm's ABI 0.2.1 that the filter uses, as functions that return an
//! error whatever the status.

use std::alloc::{Layout, alloc};
use std::ptr::null_mut;

use onceway_signal::response::SignalResponse;

use crate::{HostError, Level, SubRequest, header_map};

/// What the ABI numbers; only what is used here.
const BUFFER_HTTP_REQUEST_BODY: u32 = 0;
const BUFFER_HTTP_CALL_RESPONSE_BODY: u32 = 4;
const BUFFER_PLUGIN_CONFIGURATION: u32 = 7;
const MAP_HTTP_REQUEST_HEADERS: u32 = 0;
const MAP_HTTP_CALL_RESPONSE_HEADERS: u32 = 6;
const STREAM_REQUEST: u32 = 0;
const METRIC_COUNTER: u32 = 0;
const STATUS_OK: u32 = 0;
const STATUS_NOT_FOUND: u32 = 1;
/// WASI's name of the clock that never goes back.
const CLOCK_MONOTONIC: u32 = 1;
const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;
/// Trailers, serialised: there are none.
const NO_TRAILERS: [u8; 4] = [0; 4];
/// "This is no gRPC answer."
const NO_GRPC_STATUS: i32 = -1;

// Statuses are plain numbers here: a host may well answer one that an enum would not have.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, nanoseconds: *mut u64) -> u32;
}

/// Writes to the proxy's log; a line that cannot be written is lost.
pub(super) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => 1,
        Level::Warn => 3,
        Level::Error => 4,
        Level::Critical => 5,
    };
    // SAFETY: the proxy only reads the message, which outlives the call.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// The plugin's configuration, of `size` bytes; empty where there is none.
pub(super) fn plugin_configuration(size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_PLUGIN_CONFIGURATION, size)
}

/// The first `limit` bytes of the request's body so far; empty where there is none.
pub(super) fn request_body(limit: u32) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_HTTP_REQUEST_BODY, usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The first `limit` bytes of the body of the reply that has just come; empty where there is none.
pub(super) fn reply_body(limit: u32) -> Result<Vec<u8>, HostError> {
    buffer(BUFFER_HTTP_CALL_RESPONSE_BODY, usize::try_from(limit).unwrap_or(usize::MAX))
}

fn buffer(buffer: u32, max: usize) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both places are valid for the proxy's writes during the call.
    match unsafe { proxy_get_buffer_bytes(buffer, 0, max, &mut data, &mut size) } {
        STATUS_NOT_FOUND => Ok(Vec::new()),
        // SAFETY: on OK, data and size are what the proxy handed over; otherwise they are not looked at.
        status => check("proxy_get_buffer_bytes", status).map(|()| unsafe { received(data, size) }),
    }
}

/// All request headers, serialised.
pub(super) fn request_headers() -> Result<Vec<u8>, HostError> {
    headers(MAP_HTTP_REQUEST_HEADERS)
}

/// All headers of the reply that has just come, serialised.
pub(super) fn reply_headers() -> Result<Vec<u8>, HostError> {
    headers(MAP_HTTP_CALL_RESPONSE_HEADERS)
}

fn headers(map: u32) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both places are valid for the proxy's writes during the call.
    let status = unsafe { proxy_get_header_map_pairs(map, &mut data, &mut size) };
    // SAFETY: on OK, data and size are what the proxy handed over; otherwise they are not looked at.
    check("proxy_get_header_map_pairs", status).map(|()| unsafe { received(data, size) })
}

/// Removes every value of a request header.
pub(super) fn remove_request_header(name: &[u8]) -> Result<(), HostError> {
    // SAFETY: the proxy only reads the name, which outlives the call.
    let status = unsafe { proxy_remove_header_map_value(MAP_HTTP_REQUEST_HEADERS, name.as_ptr(), name.len()) };
    check("proxy_remove_header_map_value", status)
}

/// Sets a request header to one value.
pub(super) fn replace_request_header(name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: the proxy only reads name and value, which outlive the call.
    let status = unsafe {
        proxy_replace_header_map_value(MAP_HTTP_REQUEST_HEADERS, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    check("proxy_replace_header_map_value", status)
}

/// Answers the request without sending it upstream.
pub(super) fn send_local_response(answer: &SignalResponse, details: &str) -> Result<(), HostError> {
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b"content-type", answer.media_type().as_bytes())];
    let seconds = answer.retry_after_s().map(|seconds| seconds.to_string());
    headers.extend(seconds.as_ref().map(|seconds| (&b"retry-after"[..], seconds.as_bytes())));
    let headers = header_map::serialize(&headers);
    let body = answer.to_json();
    // SAFETY: the proxy only reads details, body and headers, which outlive the call.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(answer.status()),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
    check("proxy_send_local_response", status)
}

/// Lets the request that was held go on.
pub(super) fn continue_request() -> Result<(), HostError> {
    // SAFETY: a number goes in, a number comes out.
    check("proxy_continue_stream", unsafe { proxy_continue_stream(STREAM_REQUEST) })
}

/// Sends a request of our own; the token that its reply will come with.
pub(super) fn http_call(request: &SubRequest<'_>) -> Result<u32, HostError> {
    let SubRequest { cluster, headers, body, timeout_ms } = *request;
    let mut token = 0;
    // SAFETY: the proxy only reads cluster, headers, body and trailers, which outlive the call; the place of the token is
    // valid for its write during the call.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout_ms,
            &mut token,
        )
    };
    check("proxy_http_call", status).map(|()| token)
}

/// Makes the calls from now on be about the request of this context.
pub(super) fn set_effective_context(context: u32) -> Result<(), HostError> {
    // SAFETY: a number goes in, a number comes out.
    check("proxy_set_effective_context", unsafe { proxy_set_effective_context(context) })
}

/// A clock that never goes back, in milliseconds.
pub(super) fn monotonic_ms() -> Result<u64, HostError> {
    let mut nanoseconds = 0;
    // SAFETY: the place is valid for the proxy's write during the call.
    let status = unsafe { clock_time_get(CLOCK_MONOTONIC, NANOSECONDS_PER_MILLISECOND, &mut nanoseconds) };
    check("clock_time_get", status).map(|()| nanoseconds / NANOSECONDS_PER_MILLISECOND)
}

/// Defines a counter, or finds the one of that name.
pub(super) fn define_counter(name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the proxy only reads the name; the place of the id is valid for its write during the call.
    let status = unsafe { proxy_define_metric(METRIC_COUNTER, name.as_ptr(), name.len(), &mut id) };
    check("proxy_define_metric", status).map(|()| id)
}

/// Adds one to a counter.
pub(super) fn increment_metric(id: u32) -> Result<(), HostError> {
    // SAFETY: numbers go in, a number comes out.
    check("proxy_increment_metric", unsafe { proxy_increment_metric(id, 1) })
}

fn check(call: &'static str, status: u32) -> Result<(), HostError> {
    match status {
        STATUS_OK => Ok(()),
        status => Err(HostError::Status { call, status }),
    }
}

/// Memory for the proxy to fill and hand over; null where there is none, which the proxy notices.
pub(super) fn allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout is of some size.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// Takes over what the proxy handed out.
///
/// # Safety
///
/// `data` is null, or was given to the proxy by [`allocate`] for this very size, is filled, and belongs to nobody else.
unsafe fn received(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract above.
    unsafe { Vec::from_raw_parts(data, size, size) }
}
