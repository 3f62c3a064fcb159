//! The functions that Envoy calls. It loads no module that lacks one of them.

use std::ffi::{c_char, c_void};
use std::ptr;

use crate::abi::{Buffer, CONTINUE, EnvoyConfig, EnvoyFilter, Header, VERSION};
use crate::plugin::Plugin;
use crate::stream::Stream;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    VERSION.as_ptr()
}

/// A null pointer rejects the configuration.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    envoy: EnvoyConfig,
    _name: Buffer,
    config: Buffer,
) -> *const c_void {
    // SAFETY: Envoy's configuration is valid until the end of this hook.
    let plugin = Plugin::new(envoy, unsafe { config.bytes() });
    plugin.map_or(ptr::null(), |plugin| Box::into_raw(Box::new(plugin)).cast())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(plugin: *mut Plugin) {
    if !plugin.is_null() {
        // SAFETY: from `config_new`, and Envoy uses it no more.
        drop(unsafe { Box::from_raw(plugin) });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    plugin: *const Plugin,
    filter: EnvoyFilter,
) -> *const c_void {
    // SAFETY: from `config_new`, and Envoy destroys it after its last stream.
    let stream = Stream::new(unsafe { &*plugin }, filter);
    Box::into_raw(Box::new(stream)).cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(stream: *mut Stream) {
    // SAFETY: from `filter_new`, and Envoy uses it no more.
    drop(unsafe { Box::from_raw(stream) });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    _filter: EnvoyFilter,
    stream: *mut Stream,
    end_of_stream: bool,
) -> u32 {
    // SAFETY: from `filter_new`; Envoy calls the hooks of a stream one after the other.
    unsafe { &mut *stream }.on_headers(end_of_stream)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    _filter: EnvoyFilter,
    stream: *mut Stream,
    end_of_stream: bool,
) -> u32 {
    // SAFETY: as above.
    unsafe { &mut *stream }.on_body(end_of_stream)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    _filter: EnvoyFilter,
    stream: *mut Stream,
) -> u32 {
    // SAFETY: as above.
    unsafe { &mut *stream }.on_trailers()
}

// The others do nothing.

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(_: EnvoyFilter, _: *mut Stream, _: bool) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_body(_: EnvoyFilter, _: *mut Stream, _: bool) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(_: EnvoyFilter, _: *mut Stream) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(_: EnvoyFilter, _: *mut Stream) {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_callout_done(
    _: EnvoyFilter,
    _: *mut Stream,
    _callout: u64,
    _result: u32,
    _headers: *const Header,
    _headers_size: usize,
    _body: *const Buffer,
    _body_size: usize,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_headers(
    _: EnvoyFilter,
    _: *mut Stream,
    _id: u64,
    _headers: *const Header,
    _headers_size: usize,
    _ends: bool,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_data(
    _: EnvoyFilter,
    _: *mut Stream,
    _id: u64,
    _data: *const Buffer,
    _data_size: usize,
    _ends: bool,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_trailers(
    _: EnvoyFilter,
    _: *mut Stream,
    _id: u64,
    _trailers: *const Header,
    _trailers_size: usize,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_complete(_: EnvoyFilter, _: *mut Stream, _id: u64) {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_reset(
    _: EnvoyFilter,
    _: *mut Stream,
    _id: u64,
    _reason: u32,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(_: EnvoyFilter, _: *mut Stream, _event: u64) {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
    _: EnvoyFilter,
    _: *mut Stream,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
    _: EnvoyFilter,
    _: *mut Stream,
) {
}
