//! Host calls of proxy-wasm's ABI 0.2.1 for which the crate `proxy-wasm` (0.2.5) is unfit. Here every failure status
//! is an error and no bytes from the proxy make the call panic.
//!
//! | call | what the crate does instead |
//! |---|---|
//! | `proxy_get_buffer_bytes` | panics on each failure status except `NotFound` |
//! | `proxy_get_header_map_pairs` | panics on each failure status, and on a header name that is not UTF-8 |
//! | `proxy_remove_header_map_value` | panics on each failure status, and takes the name as `str` |
//! | `proxy_replace_header_map_value` | panics on each failure status: Envoy returns one once the headers are upstream |
//! | `proxy_send_local_response` | panics on each failure status, and has no `%RESPONSE_CODE_DETAILS%` |
//! | `proxy_define_metric`, `proxy_increment_metric` | panics, for a count that is worth no request |
//! | `proxy_get_shared_data`, `proxy_set_shared_data` | panics on each other failure status, for a hint that is worth no request |
//! | `clock_time_get` | has only the wall clock; the standard library's monotonic clock panics on a failure status |
//!
//! `tests/wasm-host/tests/wasm/faults.rs` makes each of them fail with every status.

use std::num::NonZeroU32;
use std::ptr::null_mut;

use onceway_signal::response::SignalResponse;
use onceway_signal::security_headers::SECURITY_HEADERS;
use proxy_wasm::types::{BufferType, MapType, MetricType};

use crate::{HostError, SharedValue, header_map};

const STATUS_OK: u32 = 0;
const STATUS_NOT_FOUND: u32 = 1;
const STATUS_CAS_MISMATCH: u32 = 8;
/// WASI's monotonic clock.
const CLOCK_MONOTONIC: u32 = 1;
const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;
/// The response is not gRPC.
const NO_GRPC_STATUS: i32 = -1;

// A status is a number here: a value outside the crate's enum would be undefined behaviour.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
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
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, data: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, nanoseconds: *mut u64) -> u32;
}

/// The plugin's configuration of `size` bytes; empty if there is none.
pub(super) fn plugin_configuration(size: usize) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::PluginConfiguration, size)
}

/// The first `limit` bytes of the request body buffered so far; empty if there are none.
pub(super) fn request_body(limit: u32) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::HttpRequestBody, usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The first `limit` bytes of the body of the sub-response being handled; empty if there are none.
pub(super) fn sub_response_body(limit: u32) -> Result<Vec<u8>, HostError> {
    buffer(BufferType::HttpCallResponseBody, usize::try_from(limit).unwrap_or(usize::MAX))
}

fn buffer(buffer: BufferType, max: usize) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the proxy writes both out-parameters during the call only.
    match unsafe { proxy_get_buffer_bytes(buffer as u32, 0, max, &mut data, &mut size) } {
        STATUS_NOT_FOUND => Ok(Vec::new()),
        // SAFETY: on OK the proxy has set both out-parameters; otherwise they are not used.
        status => check("proxy_get_buffer_bytes", status).map(|()| unsafe { take_ownership(data, size) }),
    }
}

/// All request headers, serialised.
pub(super) fn request_headers() -> Result<Vec<u8>, HostError> {
    headers(MapType::HttpRequestHeaders)
}

/// All headers of the sub-response being handled, serialised.
pub(super) fn sub_response_headers() -> Result<Vec<u8>, HostError> {
    headers(MapType::HttpCallResponseHeaders)
}

fn headers(map: MapType) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the proxy writes both out-parameters during the call only.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &mut data, &mut size) };
    // SAFETY: on OK the proxy has set both out-parameters; otherwise they are not used.
    check("proxy_get_header_map_pairs", status).map(|()| unsafe { take_ownership(data, size) })
}

/// Removes every value of a request header.
pub(super) fn remove_request_header(name: &[u8]) -> Result<(), HostError> {
    let map = MapType::HttpRequestHeaders as u32;
    // SAFETY: the proxy reads the name during the call only.
    let status = unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
    check("proxy_remove_header_map_value", status)
}

/// Sets a request header to one value.
pub(super) fn replace_request_header(name: &str, value: &str) -> Result<(), HostError> {
    let map = MapType::HttpRequestHeaders as u32;
    // SAFETY: the proxy reads name and value during the call only.
    let status = unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    check("proxy_replace_header_map_value", status)
}

/// Responds to the request without sending it upstream.
pub(super) fn send_local_response(response: &SignalResponse, details: &str) -> Result<(), HostError> {
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b"content-type", response.media_type().as_bytes())];
    let seconds = response.retry_after_s().map(|seconds| seconds.to_string());
    headers.extend(seconds.as_ref().map(|seconds| (&b"retry-after"[..], seconds.as_bytes())));
    headers.extend(response.www_authenticate().map(|scheme| (&b"www-authenticate"[..], scheme.as_bytes())));
    headers.extend(SECURITY_HEADERS.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let headers = header_map::serialize(&headers);
    let body = response.to_json();
    // SAFETY: the proxy reads details, body and headers during the call only.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(response.status()),
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

/// What the proxy keeps under a key for all its workers.
pub(super) fn shared(key: &str) -> Result<Option<SharedValue>, HostError> {
    let (mut data, mut size, mut cas) = (null_mut(), 0, 0);
    // SAFETY: the proxy reads the key and writes the out-parameters during the call only.
    let status = unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &mut data, &mut size, &mut cas) };
    if status == STATUS_NOT_FOUND {
        return Ok(None);
    }
    check("proxy_get_shared_data", status)?;
    // SAFETY: on OK the proxy has set the out-parameters.
    let bytes = unsafe { take_ownership(data, size) };
    Ok(Some(SharedValue { bytes, version: NonZeroU32::new(cas) }))
}

/// Sets what the proxy keeps under a key, with a version only if that is its version still; whether it was set.
pub(super) fn set_shared(key: &str, bytes: &[u8], version: Option<NonZeroU32>) -> Result<bool, HostError> {
    let cas = version.map_or(0, NonZeroU32::get);
    // SAFETY: the proxy reads key and bytes during the call only.
    match unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), bytes.as_ptr(), bytes.len(), cas) } {
        STATUS_CAS_MISMATCH => Ok(false),
        status => check("proxy_set_shared_data", status).map(|()| true),
    }
}

/// Milliseconds of a monotonic clock.
pub(super) fn monotonic_ms() -> Result<u64, HostError> {
    let mut nanoseconds = 0;
    // SAFETY: the proxy writes the out-parameter during the call only.
    let status = unsafe { clock_time_get(CLOCK_MONOTONIC, NANOSECONDS_PER_MILLISECOND, &mut nanoseconds) };
    check("clock_time_get", status).map(|()| nanoseconds / NANOSECONDS_PER_MILLISECOND)
}

/// Defines a counter, or finds the existing one of that name.
pub(super) fn define_counter(name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the proxy reads the name and writes the out-parameter during the call only.
    let status = unsafe { proxy_define_metric(MetricType::Counter as u32, name.as_ptr(), name.len(), &mut id) };
    check("proxy_define_metric", status).map(|()| id)
}

/// Adds one to a counter.
pub(super) fn increment_counter(id: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check("proxy_increment_metric", unsafe { proxy_increment_metric(id, 1) })
}

fn check(call: &'static str, status: u32) -> Result<(), HostError> {
    match status {
        STATUS_OK => Ok(()),
        status => Err(HostError::Status { call, status }),
    }
}

/// Takes ownership of bytes that the proxy returned.
///
/// # Safety
///
/// `data` is null, or the crate's `proxy_on_memory_allocate` allocated it for exactly `size` bytes, the proxy has filled
/// it, and nothing else owns it.
unsafe fn take_ownership(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract above; the crate allocates a `Vec` of capacity `size`.
    unsafe { Vec::from_raw_parts(data, size, size) }
}
