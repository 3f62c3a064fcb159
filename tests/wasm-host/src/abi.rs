//! The host functions: those of proxy-wasm's ABI 0.2.1 that the filter uses, the others unimplemented, and what Rust's
//! standard library needs of WASI.
//!
//! Written from the specification and Envoy's behaviour, without the filter's code: a format that both got wrong in the
//! same way would go unnoticed.

use wasmtime::{Caller, Result, bail};

pub(super) use self::guest::deserialize;
use self::guest::{Guest, serialize};
use super::ROOT_CONTEXT;
use super::http_call::SubRequest;
use super::proxy::{CLUSTER, LocalResponse, LogLine, Proxy};

mod guest;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;
const INTERNAL_FAILURE: u32 = 10;
const UNIMPLEMENTED: u32 = 12;

const REQUEST_HEADERS: u64 = 0;
const REQUEST_BODY: u64 = 0;
const CALL_HEADERS: u64 = 6;
const CALL_BODY: u64 = 4;
const REQUEST_STREAM: u64 = 0;
const MONOTONIC: u64 = 1;
const PLUGIN_CONFIGURATION: u64 = 7;
const COUNTER: u64 = 0;
/// The path of a property: its components, separated by NUL.
const CLUSTER_NAME: &[u8] = b"xds\0cluster_name";

/// Serves a call of a host function: its status, or the trap that it causes.
pub(super) fn serve(caller: Caller<'_, Proxy>, name: &str, arguments: &[u64]) -> Result<u32> {
    let mut guest = Guest::new(caller)?;
    let proxy = guest.proxy();
    proxy.called.insert(name.to_owned());
    proxy.stream.host_calls.push(name.to_owned());
    if let Some(&status) = proxy.faults.get(name) {
        return Ok(status);
    }
    match (name, arguments) {
        ("proxy_log", &[level, text, size]) => {
            let message = guest.text(text, size)?;
            guest.proxy().log.push(LogLine { level: u32::try_from(level)?, message });
            Ok(OK)
        }
        ("proxy_get_buffer_bytes", &[buffer, start, max, data, size]) => {
            get_buffer(guest, buffer, start, max, data, size)
        }
        ("proxy_get_header_map_pairs", &[REQUEST_HEADERS, data, size]) if guest.proxy().stream.has_headers => {
            let map = serialize(&guest.proxy().stream.headers)?;
            guest.return_bytes(&map, data, size)
        }
        ("proxy_get_header_map_pairs", &[CALL_HEADERS, data, size]) => {
            let Some(response) = &guest.proxy().sub_response else { return Ok(BAD_ARGUMENT) };
            let map = serialize(&response.headers)?;
            guest.return_bytes(&map, data, size)
        }
        ("proxy_get_property", &[path, path_size, data, size]) => {
            let path = guest.bytes(path, path_size)?;
            let proxy = guest.proxy();
            let is_of_request = proxy.effective_context == proxy.stream.context;
            match proxy.route_cluster.clone() {
                Some(name) if path == CLUSTER_NAME && is_of_request => guest.return_bytes(&name, data, size),
                _ => Ok(NOT_FOUND),
            }
        }
        ("proxy_http_call", arguments) => http_call(guest, arguments),
        ("proxy_set_effective_context", &[context]) => {
            let context = u32::try_from(context)?;
            let proxy = guest.proxy();
            if ![ROOT_CONTEXT, proxy.stream.context].contains(&context) {
                return Ok(BAD_ARGUMENT);
            }
            proxy.effective_context = context;
            Ok(OK)
        }
        ("proxy_continue_stream", &[REQUEST_STREAM]) => {
            let proxy = guest.proxy();
            proxy.stream.resumed |= proxy.effective_context == proxy.stream.context;
            Ok(OK)
        }
        ("clock_time_get", &[MONOTONIC, _, place]) => {
            let now = guest.proxy().now_ns;
            guest.write(place, &now.to_le_bytes())?;
            Ok(OK)
        }
        ("proxy_remove_header_map_value", &[REQUEST_HEADERS, name, size]) if guest.proxy().stream.has_headers => {
            let name = guest.bytes(name, size)?;
            guest.proxy().stream.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(&name));
            Ok(OK)
        }
        ("proxy_replace_header_map_value", &[REQUEST_HEADERS, name, name_size, value, value_size])
            if guest.proxy().stream.has_headers =>
        {
            let (name, value) = (guest.bytes(name, name_size)?, guest.bytes(value, value_size)?);
            guest.proxy().stream.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(&name));
            guest.proxy().stream.headers.push((name, value));
            Ok(OK)
        }
        ("proxy_send_local_response", arguments) => send_local_response(guest, arguments),
        ("proxy_get_shared_data", &[key, key_size, data, size, cas]) => {
            let key = guest.bytes(key, key_size)?;
            let Some((bytes, version)) = guest.proxy().shared.get(&key).cloned() else { return Ok(NOT_FOUND) };
            guest.write(cas, &version.to_le_bytes())?;
            guest.return_bytes(&bytes, data, size)
        }
        ("proxy_set_shared_data", &[key, key_size, bytes, size, cas]) => {
            let (key, bytes) = (guest.bytes(key, key_size)?, guest.bytes(bytes, size)?);
            let shared = &mut guest.proxy().shared;
            let found = shared.get(&key).map_or(0, |(_, version)| *version);
            if cas != 0 && cas != u64::from(found) {
                return Ok(CAS_MISMATCH);
            }
            shared.insert(key, (bytes, found + 1));
            Ok(OK)
        }
        ("proxy_define_metric", &[COUNTER, name, size, id]) => {
            let name = guest.text(name, size)?;
            let counters = &mut guest.proxy().counters;
            let index = counters.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                counters.push((name, 0));
                counters.len() - 1
            });
            guest.write(id, &u32::try_from(index)?.to_le_bytes())?;
            Ok(OK)
        }
        ("proxy_increment_metric", &[id, offset]) => {
            let proxy = guest.proxy();
            let Some((name, value)) = proxy.counters.get_mut(usize::try_from(id)?) else { return Ok(NOT_FOUND) };
            *value += offset;
            proxy.stream.counted.push(name.clone());
            Ok(OK)
        }
        ("environ_sizes_get", &[count, size]) => {
            guest.write(count, &[0; 4])?;
            guest.write(size, &[0; 4])?;
            Ok(OK)
        }
        ("environ_get", _) => Ok(OK),
        ("proc_exit", &[code]) => bail!("the filter ended the process with code {code}"),
        // Other maps and metrics; headers that are upstream already.
        (
            "proxy_get_header_map_pairs"
            | "proxy_remove_header_map_value"
            | "proxy_replace_header_map_value"
            | "proxy_define_metric",
            _,
        ) => Ok(BAD_ARGUMENT),
        _ => Ok(UNIMPLEMENTED),
    }
}

fn get_buffer(mut guest: Guest<'_>, buffer: u64, start: u64, max: u64, data: u64, size: u64) -> Result<u32> {
    let proxy = guest.proxy();
    let bytes = match buffer {
        REQUEST_BODY if proxy.stream.body.is_empty() => return Ok(NOT_FOUND),
        REQUEST_BODY => &proxy.stream.body,
        CALL_BODY => match &proxy.sub_response {
            Some(response) => &response.body,
            None => return Ok(NOT_FOUND),
        },
        PLUGIN_CONFIGURATION => &proxy.config,
        _ => return Ok(BAD_ARGUMENT),
    };
    let (start, max) = (usize::try_from(start)?, usize::try_from(max)?);
    let part: Vec<u8> = bytes.iter().skip(start).take(max).copied().collect();
    guest.return_bytes(&part, data, size)
}

fn send_local_response(mut guest: Guest<'_>, arguments: &[u64]) -> Result<u32> {
    let &[status, details, details_size, body, body_size, headers, headers_size, _grpc_status] = arguments else {
        bail!("proxy_send_local_response has {} arguments", arguments.len());
    };
    let headers = deserialize(&guest.bytes(headers, headers_size)?)?;
    let response = LocalResponse {
        status: u32::try_from(status)?,
        details: guest.text(details, details_size)?,
        headers,
        body: guest.text(body, body_size)?,
    };
    let proxy = guest.proxy();
    // The plugin's context has no client.
    if proxy.effective_context == proxy.stream.context {
        proxy.stream.local_response.get_or_insert(response);
    }
    Ok(OK)
}

fn http_call(mut guest: Guest<'_>, arguments: &[u64]) -> Result<u32> {
    let &[cluster, cluster_size, headers, headers_size, body, body_size, trailers, trailers_size, timeout_ms, token] =
        arguments
    else {
        bail!("proxy_http_call has {} arguments", arguments.len());
    };
    let next = guest.proxy().last_token + 1;
    let (cluster, headers) = (guest.text(cluster, cluster_size)?, guest.bytes(headers, headers_size)?);
    let body = guest.bytes(body, body_size)?;
    let Some(call) = SubRequest::new(next, &cluster, &headers, &body, u32::try_from(timeout_ms)?) else {
        return Ok(BAD_ARGUMENT);
    };
    if !deserialize(&guest.bytes(trailers, trailers_size)?)?.is_empty() || timeout_ms == 0 {
        bail!("a sub-request with trailers, or without a timeout: {call:?}");
    }
    if call.cluster != CLUSTER || !call.is_complete() {
        return Ok(BAD_ARGUMENT);
    }
    let proxy = guest.proxy();
    if proxy.in_flight.len() >= proxy.breaker {
        return Ok(INTERNAL_FAILURE);
    }
    proxy.last_token = call.token;
    proxy.in_flight.push(call.clone());
    proxy.stream.sub_requests.push(call.clone());
    guest.write(token, &call.token.to_le_bytes())?;
    Ok(OK)
}
