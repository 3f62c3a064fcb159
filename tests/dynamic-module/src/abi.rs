//! What the module uses of Envoy 1.40's ABI for dynamic modules (`source/extensions/dynamic_modules/abi/abi.h` in Envoy).

use std::ffi::c_void;
use std::ptr;

/// The version of the ABI. Envoy only warns about another one.
pub(crate) const VERSION: &std::ffi::CStr = c"v0.2.0";

/// Envoy's objects, as it passes them and as it expects them back.
pub(crate) type EnvoyConfig = *mut c_void;
pub(crate) type EnvoyFilter = *mut c_void;

/// Bytes of Envoy or of the module. Envoy's are valid until the end of the hook, or until the module changes what they are of.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Buffer {
    pub(crate) data: *const u8,
    pub(crate) size: usize,
}

impl Buffer {
    /// No bytes. As the value of a header: none.
    pub(crate) const NONE: Self = Self { data: ptr::null(), size: 0 };

    /// The module's bytes, which must outlive the call that they are passed to.
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    /// The buffer is Envoy's, and still valid.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: by the contract above.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

/// A header.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) name: Buffer,
    pub(crate) value: Buffer,
}

impl Header {
    pub(crate) const NONE: Self = Self { name: Buffer::NONE, value: Buffer::NONE };
}

/// Which headers: those of the request.
pub(crate) const REQUEST_HEADERS: u32 = 0;
/// Which body: the part of the request's that this hook is about.
pub(crate) const RECEIVED_REQUEST_BODY: u32 = 0;
/// Which body: the part of the request's that was buffered before.
pub(crate) const BUFFERED_REQUEST_BODY: u32 = 1;

/// What a hook returns, of headers, body and trailers alike: go on.
pub(crate) const CONTINUE: u32 = 0;
/// Of headers and trailers: hold them. Of a body: buffer it.
pub(crate) const STOP: u32 = 1;
/// Of a body: drop it, the request has been responded to.
pub(crate) const STOP_WITHOUT_BUFFER: u32 = 3;

/// Levels of the log.
pub(crate) const DEBUG: u32 = 1;
pub(crate) const WARN: u32 = 3;
pub(crate) const ERROR: u32 = 4;

/// The result of a call about a metric: done.
pub(crate) const SUCCESS: u32 = 0;

unsafe extern "C" {
    pub(crate) fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: EnvoyConfig,
        name: Buffer,
        label_names: *mut Buffer,
        labels: usize,
        id: *mut usize,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_increment_counter(
        filter: EnvoyFilter,
        id: usize,
        label_values: *mut Buffer,
        labels: usize,
        value: u64,
    ) -> u32;
    pub(crate) fn envoy_dynamic_module_callback_http_get_headers_size(filter: EnvoyFilter, headers: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_headers(
        filter: EnvoyFilter,
        headers: u32,
        result: *mut Header,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_set_header(
        filter: EnvoyFilter,
        headers: u32,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_clear_route_cache(filter: EnvoyFilter);
    pub(crate) fn envoy_dynamic_module_callback_http_get_body_size(filter: EnvoyFilter, body: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_body_chunks_size(filter: EnvoyFilter, body: u32) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_body_chunks(
        filter: EnvoyFilter,
        body: u32,
        result: *mut Buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_send_response(
        filter: EnvoyFilter,
        status: u32,
        headers: *const Header,
        headers_size: usize,
        body: Buffer,
        details: Buffer,
    );
    pub(crate) fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: EnvoyFilter);
}
