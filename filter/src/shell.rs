//! The proxy-wasm shell around the core: contexts that forward the proxy's events, and the [`Host`] that they run over.
//! It translates and decides nothing.
//!
//! The crate `proxy-wasm` owns the exports, the contexts and the routing of sub-responses to them. Its host calls return a
//! `Result`, but most of them panic on a failure status instead of returning it. A panic is a trap, and a trap ends every
//! request in the VM. So calls whose failure the filter survives go through [`raw`]; calls that cannot fail in Envoy, or
//! whose failures the crate returns, go through `proxy_wasm::hostcalls`.
//!
//! Two limits of the crate's dispatcher remain; `tests/wasm-host/tests/wasm/faults.rs` measures them:
//!
//! * It traps on a sub-response with a token that was never issued, or was delivered before. Envoy sends none; if it did,
//!   `FAIL_RELOAD` would replace the VM.
//! * It drops a sub-response whose client has left, but keeps the token of a sub-request that Envoy cancels for that reason:
//!   less than 50 bytes each, until the VM is replaced.

use std::num::NonZeroU32;
use std::panic::set_hook;
use std::rc::Rc;
use std::time::Duration;

use onceway_signal::response::SignalResponse;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{self, ContextType, LogLevel, Status};

use crate::{Action, Config, Decision, Host, HostError, Level, Request, Shared, SharedValue, SubRequest, SubResponse};

#[expect(unsafe_code, reason = "foreign functions; all of the crate's unsafe code is in there")]
mod raw;
#[cfg(feature = "trap")]
mod trap;

/// The property that names the cluster of the request's route.
const ROUTE_CLUSTER: [&str; 2] = ["xds", "cluster_name"];

proxy_wasm::main! {{
    // The crate's own hook is installed together with a logger that the filter does not use.
    set_hook(Box::new(|panic| log(LogLevel::Critical, &panic.to_string())));
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

fn log(level: LogLevel, message: &str) {
    // Envoy's log call cannot fail.
    let _ = hostcalls::log(level, message);
}

/// The plugin's context: what all its requests share.
#[derive(Default)]
struct Plugin {
    config: Rc<Config>,
    shared: Rc<Shared>,
    counters: Counters,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, size: usize) -> bool {
        match read_config(size) {
            Ok(config) => {
                self.config = Rc::new(config);
                self.counters = Counters::define();
                true
            }
            Err(reason) => {
                log(LogLevel::Error, &reason);
                false
            }
        }
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        let request = Request::new(Rc::clone(&self.config), Rc::clone(&self.shared));
        Some(Box::new(Stream { request, host: WasmHost { counters: self.counters } }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn read_config(size: usize) -> Result<Config, String> {
    let json = raw::plugin_configuration(size).map_err(|error| error.to_string())?;
    Config::from_json(&json).map_err(|error| error.to_string())
}

/// The context of one HTTP stream.
struct Stream {
    request: Request,
    host: WasmHost,
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_bytes: usize, _trailers: usize) {
        self.request.on_sub_response(&self.host, SubResponse { token, headers, body_bytes });
    }

    fn on_done(&mut self) -> bool {
        self.request.on_end(&self.host);
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> types::Action {
        to_wasm(self.request.on_headers(&self.host, end_of_stream))
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> types::Action {
        to_wasm(self.request.on_body(&self.host, buffered, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> types::Action {
        to_wasm(self.request.on_trailers(&self.host))
    }
}

const fn to_wasm(action: Action) -> types::Action {
    match action {
        Action::Continue => types::Action::Continue,
        Action::Pause => types::Action::Pause,
    }
}

/// The proxy. Each call is about the context whose event is being handled.
struct WasmHost {
    counters: Counters,
}

impl Host for WasmHost {
    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        raw::request_headers()
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        raw::remove_request_header(name)
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        raw::replace_request_header(name, value)
    }

    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        #[cfg(feature = "trap")]
        trap::at("body");
        raw::request_body(limit)
    }

    fn route_cluster(&self) -> Result<Option<Vec<u8>>, HostError> {
        hostcalls::get_property(ROUTE_CLUSTER.to_vec()).map_err(failure("proxy_get_property"))
    }

    fn respond(&self, response: &SignalResponse, details: &'static str) -> Result<(), HostError> {
        raw::send_local_response(response, details)
    }

    fn resume(&self) -> Result<(), HostError> {
        hostcalls::resume_http_request().map_err(failure("proxy_continue_stream"))
    }

    fn dispatch(&self, request: SubRequest<'_>) -> Result<u32, HostError> {
        let SubRequest { cluster, headers, body, timeout_ms } = request;
        let timeout = Duration::from_millis(timeout_ms.into());
        // Only this call makes the token known to the dispatcher, so that a raw import could not replace it.
        hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout)
            .map_err(failure("proxy_http_call"))
    }

    fn sub_response_headers(&self) -> Result<Vec<u8>, HostError> {
        #[cfg(feature = "trap")]
        trap::at("reply");
        raw::sub_response_headers()
    }

    fn sub_response_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        raw::sub_response_body(limit)
    }

    fn now_ms(&self) -> Result<u64, HostError> {
        raw::monotonic_ms()
    }

    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError> {
        raw::shared(key)
    }

    fn set_shared(&self, key: &str, bytes: &[u8], version: Option<NonZeroU32>) -> Result<bool, HostError> {
        raw::set_shared(key, bytes, version)
    }

    fn count(&self, decision: Decision) {
        self.counters.increment(decision);
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        log(level, message);
    }
}

fn failure(call: &'static str) -> impl Fn(Status) -> HostError {
    move |status| HostError::Status { call, status: status as u32 }
}

/// The proxy's metric ids, one per decision; `None` where the proxy did not define the metric.
#[derive(Clone, Copy, Default)]
struct Counters([Option<u32>; Decision::ALL.len()]);

impl Counters {
    /// Defines the counters. A counter that cannot be defined stays at zero; the filter works without it.
    fn define() -> Counters {
        Counters(Decision::ALL.map(|decision| {
            let metric = decision.metric();
            raw::define_counter(metric)
                .inspect_err(|error| log(LogLevel::Warn, &format!("{metric} is not counted: {error}")))
                .ok()
        }))
    }

    fn increment(&self, decision: Decision) {
        if let Some(Some(id)) = self.0.get(decision as usize) {
            // No request fails for a lost count.
            let _ = raw::increment_counter(*id);
        }
    }
}
