//! The proxy-wasm shell around the core: it translates, and decides nothing.
//!
//! Both directions are our own: [`abi`] calls the proxy, [`exports`] is called by it. The SDK for Rust panics on any status
//! and any token that it does not expect, and a trap takes every request in the VM with it; and it never forgets a call
//! whose client has left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use onceway_signal::response::SignalResponse;

use crate::{Action, Config, Decision, Host, HostError, Level, Reply, Request, SubRequest};

#[expect(unsafe_code, reason = "calls into the proxy cross the module's boundary; all of them are in there")]
mod abi;
#[expect(unsafe_code, reason = "what the proxy calls must have a fixed name; all of it is in there")]
mod exports;
#[cfg(feature = "trap")]
mod trap;

/// All that lives in one VM.
#[derive(Default)]
struct Vm {
    /// The plugins by their context: several where a new configuration takes over from an old one.
    plugins: BTreeMap<u32, Plugin>,
    /// The requests by their context.
    streams: BTreeMap<u32, Stream>,
    /// The requests that wait for replies, by the reply's token.
    calls: Calls,
}

/// Which context waits for the reply of which token. The proxy tells the plugin of a reply, not the request.
type Calls = Rc<RefCell<BTreeMap<u32, u32>>>;

/// A plugin: what all its requests share.
#[derive(Clone, Default)]
struct Plugin {
    config: Rc<Config>,
    counters: Counters,
}

/// One request's stream in the proxy.
struct Stream {
    request: Request,
    proxy: Proxy,
}

impl Vm {
    fn create(&mut self, context: u32, parent: u32) {
        let Some(plugin) = self.plugins.get(&parent) else {
            // A context without a parent is a plugin's own.
            self.plugins.insert(context, Plugin::default());
            return;
        };
        let proxy = Proxy { context, counters: plugin.counters, calls: Rc::clone(&self.calls) };
        self.streams.insert(context, Stream { request: Request::new(Rc::clone(&plugin.config)), proxy });
    }

    fn configure(&mut self, context: u32, size: usize) -> bool {
        match read_config(size) {
            Ok(config) => {
                self.plugins.insert(context, Plugin { config: Rc::new(config), counters: Counters::define() });
                true
            }
            Err(reason) => {
                abi::log(Level::Error, &reason);
                false
            }
        }
    }

    /// What to do with a request next. One that we do not know goes on.
    fn decide(&mut self, context: u32, event: impl FnOnce(&mut Request, &Proxy) -> Action) -> Action {
        match self.streams.get_mut(&context) {
            Some(Stream { request, proxy }) => event(request, proxy),
            None => Action::Continue,
        }
    }

    fn reply(&mut self, reply: Reply) {
        let context = self.calls.borrow_mut().remove(&reply.token);
        // A client that left does not wait for it any more.
        let Some(Stream { request, proxy }) = context.and_then(|context| self.streams.get_mut(&context)) else {
            return;
        };
        if let Err(error) = abi::set_effective_context(proxy.context) {
            proxy.log(Level::Error, &format!("a reply cannot be given to its request: {error}"));
        }
        request.on_reply(proxy, reply);
    }

    fn delete(&mut self, context: u32) {
        self.plugins.remove(&context);
        self.streams.remove(&context);
    }
}

fn read_config(size: usize) -> Result<Config, String> {
    let json = abi::plugin_configuration(size).map_err(|error| error.to_string())?;
    Config::from_json(&json).map_err(|error| error.to_string())
}

/// The proxy, as the core wants it.
struct Proxy {
    context: u32,
    counters: Counters,
    calls: Calls,
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
        #[cfg(feature = "trap")]
        trap::at("body");
        abi::request_body(limit)
    }

    fn answer(&self, answer: &SignalResponse, details: &'static str) -> Result<(), HostError> {
        abi::send_local_response(answer, details)
    }

    fn resume(&self) -> Result<(), HostError> {
        abi::continue_request()
    }

    fn dispatch(&self, request: &SubRequest<'_>) -> Result<u32, HostError> {
        let token = abi::http_call(request)?;
        self.calls.borrow_mut().insert(token, self.context);
        Ok(token)
    }

    fn reply_headers(&self) -> Result<Vec<u8>, HostError> {
        #[cfg(feature = "trap")]
        trap::at("reply");
        abi::reply_headers()
    }

    fn reply_body(&self, limit: u32) -> Result<Vec<u8>, HostError> {
        abi::reply_body(limit)
    }

    fn now_ms(&self) -> Result<u64, HostError> {
        abi::monotonic_ms()
    }

    fn count(&self, outcome: Decision) {
        self.counters.increment(outcome);
    }

    fn log(&self, level: Level, message: &str) {
        abi::log(level, message);
    }
}

/// The proxy's ids of the counters, one per outcome; `None` where the proxy would not have it.
#[derive(Clone, Copy, Default)]
struct Counters([Option<u32>; Decision::ALL.len()]);

impl Counters {
    /// Defines the counters. One that cannot be defined is not worth an outage: it stays uncounted.
    fn define() -> Counters {
        Counters(Decision::ALL.map(|outcome| {
            abi::define_counter(outcome.metric())
                .inspect_err(|error| abi::log(Level::Warn, &format!("{} is not counted: {error}", outcome.metric())))
                .ok()
        }))
    }

    fn increment(&self, outcome: Decision) {
        if let Some(Some(id)) = self.0.get(outcome as usize) {
            // A count that fails is lost: no request fails for it.
            let _ = abi::increment_metric(*id);
        }
    }
}
