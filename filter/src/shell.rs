//! The proxy-wasm shell around the core: it translates, and decides nothing.
//!
//! Contexts and entry points are the SDK's. The calls into the proxy are our own ([`abi`]): the SDK's panic on any status
//! that they do not expect, and a trap takes every request in the VM with it.

use std::panic::set_hook;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action as ProxyAction, ContextType};

use crate::{Action, Config, Host, HostError, Level, Outcome, Problem, Request};

#[expect(unsafe_code, reason = "calls into the proxy cross the module's boundary; all of them are in there")]
mod abi;

proxy_wasm::main! {{
    // There is nothing in here that panics. If it is wrong, one line of the log says so before the VM dies.
    set_hook(Box::new(|panic| abi::log(Level::Critical, &panic.to_string())));
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

/// The plugin in one VM: what all its requests share.
#[derive(Default)]
struct Plugin {
    config: Config,
    counters: Counters,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, size: usize) -> bool {
        match read_config(size) {
            Ok(config) => self.config = config,
            Err(reason) => {
                abi::log(Level::Error, &reason);
                return false;
            }
        }
        self.counters = Counters::define();
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { request: Request::new(self.config), proxy: Proxy { counters: self.counters } }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn read_config(size: usize) -> Result<Config, String> {
    let json = abi::plugin_configuration(size).map_err(|error| error.to_string())?;
    Config::from_json(&json).map_err(|error| error.to_string())
}

/// One request's stream in the proxy.
struct Stream {
    request: Request,
    proxy: Proxy,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> ProxyAction {
        translate(self.request.on_headers(&self.proxy, end_of_stream))
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> ProxyAction {
        translate(self.request.on_body(&self.proxy, buffered, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> ProxyAction {
        translate(self.request.on_trailers(&self.proxy))
    }
}

fn translate(action: Action) -> ProxyAction {
    match action {
        Action::Continue => ProxyAction::Continue,
        Action::Pause => ProxyAction::Pause,
    }
}

/// The proxy, as the core wants it.
struct Proxy {
    counters: Counters,
}

impl Host for Proxy {
    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        abi::request_headers()
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        abi::remove_request_header(name)
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        abi::replace_request_header(name, value)
    }

    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        abi::request_body(limit)
    }

    fn refuse(&self, problem: &Problem) -> Result<(), HostError> {
        abi::send_local_response(problem)
    }

    fn count(&self, outcome: Outcome) {
        self.counters.increment(outcome);
    }

    fn log(&self, level: Level, message: &str) {
        abi::log(level, message);
    }
}

/// The proxy's ids of the counters, one per outcome; `None` where the proxy would not have it.
#[derive(Clone, Copy, Default)]
struct Counters([Option<u32>; Outcome::ALL.len()]);

impl Counters {
    /// Defines the counters. One that cannot be defined is not worth an outage: it stays uncounted.
    fn define() -> Counters {
        Counters(Outcome::ALL.map(|outcome| {
            abi::define_counter(outcome.metric())
                .inspect_err(|error| abi::log(Level::Warn, &format!("{} is not counted: {error}", outcome.metric())))
                .ok()
        }))
    }

    fn increment(&self, outcome: Outcome) {
        if let Some(Some(id)) = self.0.get(outcome as usize) {
            // A count that fails is lost: no request fails for it.
            let _ = abi::increment_metric(*id);
        }
    }
}
