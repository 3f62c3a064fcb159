//! A proxy-wasm host under wasmtime that runs the filter's real `.wasm` as Envoy does, without Envoy.
//!
//! It makes Envoy's calls in Envoy's order, implements the host functions of proxy-wasm's ABI 0.2.1 that the filter uses,
//! and records what the filter does. Any host function can be made to fail. Fuel and memory are bounded, so that a filter
//! that loops or leaks fails its test instead of hanging it. Fuel is deterministic, and so a measure of cost.
//!
//! ```no_run
//! use onceway_wasm_host::{Host, Request};
//!
//! let mut host = Host::new("");
//! let result = host.request(Request::post("/api/v1/signals/prometheus").chunks([r#"{"alerts":"#, "[]}"]).trailers());
//! assert!(result.passed());
//! assert_eq!(result.fingerprint(), None);
//! assert_eq!(result.decisions(), ["nothing"]);
//! ```
//!
//! One [`Host`] is one VM, which serves any number of requests one after the other. The module is built and compiled once
//! per process; a further host, for each test or fuzz case, is cheap.

use thiserror::Error;
use wasmtime::{Instance, Store, Val};

use self::http_call::Responder;
use self::module::compiled;
use self::proxy::Proxy;

mod abi;
mod answer;
mod http_call;
mod module;
mod proxy;
mod request;
mod stream;

pub use answer::{End, RequestResult};
pub use http_call::{SubRequest, SubResponse};
pub use proxy::{DECISION_METRIC_PREFIX, LocalResponse, LogLine};
pub use request::Request;

/// Fuel for one call into the filter. A body of 5 MiB takes a small part of it; a call that needs more loops.
pub const FUEL_PER_CALL: u64 = 20_000_000_000;

/// Linear memory of a VM, in bytes. Envoy allows 1 GiB; the filter stays far below.
pub const MEMORY_LIMIT: usize = 256 * 1024 * 1024;

/// The plugin's context. Those of requests have larger numbers.
const ROOT_CONTEXT: u32 = 1;

/// A proxy with one VM that runs the filter.
pub struct Host {
    store: Store<Proxy>,
    instance: Instance,
    last_context: u32,
    /// The filter has trapped; nothing more runs in this VM.
    dead: bool,
    responder: Responder,
}

/// Why the filter did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// It rejected its configuration; its log says why.
    #[error("the filter rejected its configuration: {0:?}")]
    Rejected(Vec<LogLine>),
    /// It trapped.
    #[error("the filter trapped while it started: {0}")]
    Trapped(String),
}

impl Host {
    /// A proxy that runs the filter with this plugin configuration.
    ///
    /// # Panics
    /// If the module cannot be built, or the filter does not start; the message says why.
    #[must_use]
    pub fn new(config: &str) -> Host {
        Host::start(config, &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A proxy that runs the filter with this plugin configuration. Each host function in `faults` fails from the beginning
    /// with the given status.
    ///
    /// # Errors
    /// If the filter does not start.
    ///
    /// # Panics
    /// If the module cannot be built; the message says why.
    pub fn start(config: &str, faults: &[(&str, u32)]) -> Result<Host, StartError> {
        let compiled = compiled().unwrap_or_else(|error| panic!("{error}"));
        let mut proxy = Proxy::new(config);
        proxy.faults.extend(faults.iter().map(|&(call, status)| (call.to_owned(), status)));
        let mut store = Store::new(&compiled.engine, proxy);
        store.limiter(|proxy| &mut proxy.limits);
        let started = refuel(&mut store).and_then(|()| compiled.instance.instantiate(&mut store));
        let instance = started.map_err(|error| StartError::Trapped(format!("{error:?}")))?;
        let mut host = Host { store, instance, last_context: ROOT_CONTEXT, dead: false, responder: Box::new(reset) };
        match host.configure() {
            Ok(true) => Ok(host),
            Ok(false) => Err(StartError::Rejected(host.store.into_data().log)),
            Err(error) => Err(StartError::Trapped(format!("{error:?}"))),
        }
    }

    fn configure(&mut self) -> wasmtime::Result<bool> {
        let config = u32::try_from(self.store.data().config.len())?;
        self.call("_initialize", &[])?;
        self.call("proxy_on_context_create", &[ROOT_CONTEXT, 0])?;
        Ok(self.call("proxy_on_vm_start", &[ROOT_CONTEXT, 0])? != 0
            && self.call("proxy_on_configure", &[ROOT_CONTEXT, config])? != 0)
    }

    /// From now on, a host function fails with this status.
    pub fn fail(&mut self, call: &str, status: u32) {
        self.store.data_mut().faults.insert(call.to_owned(), status);
    }

    /// All host functions work again.
    pub fn heal(&mut self) {
        self.store.data_mut().faults.clear();
    }

    /// From now on, `respond` responds to each sub-request, the oldest first. Until then, sub-requests are reset.
    pub fn respond(&mut self, mut respond: impl FnMut(&SubRequest) -> SubResponse + 'static) {
        self.respond_picking(move |in_flight| (0, respond(&in_flight[0])));
    }

    /// Like [`Host::respond`]; `pick` also chooses, by index, which sub-request in flight gets its response next.
    pub fn respond_picking(&mut self, pick: impl FnMut(&[SubRequest]) -> (usize, SubResponse) + 'static) {
        self.responder = Box::new(pick);
    }

    /// From now on, at most `in_flight` sub-requests are in flight at once, as with Envoy's circuit breaker.
    pub fn breaker(&mut self, in_flight: usize) {
        self.store.data_mut().breaker = in_flight;
    }

    /// Sets the property `xds.cluster_name`; `None` if the proxy does not know the cluster.
    pub fn route_cluster(&mut self, name: Option<&[u8]>) {
        self.store.data_mut().route_cluster = name.map(<[u8]>::to_vec);
    }

    /// Advances the clock.
    pub fn pass_time(&mut self, ms: u64) {
        self.store.data_mut().now_ns += ms * 1_000_000;
    }

    /// The names of the host functions that the filter has called so far, including calls that failed.
    #[must_use]
    pub fn called(&self) -> Vec<String> {
        self.store.data().called.iter().cloned().collect()
    }

    /// The counters that the filter has defined, with their values.
    #[must_use]
    pub fn counters(&self) -> &[(String, u64)] {
        &self.store.data().counters
    }

    /// Size of the VM's memory in bytes. It never shrinks, so that this is the maximum so far.
    pub fn memory(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Sends a request through the filter, to its end.
    pub fn request(&mut self, request: Request) -> RequestResult {
        self.last_context += 1;
        stream::run(self, self.last_context, request)
    }

    /// Delivers a reset sub-response with a token that the proxy may not have issued.
    ///
    /// # Errors
    /// If the filter traps.
    pub fn deliver_to_token(&mut self, token: u32) -> Result<(), String> {
        let delivered = self.call("proxy_on_http_call_response", &[ROOT_CONTEXT, token, 0, 0, 0]);
        delivered.map(|_| ()).map_err(|trap| format!("{trap:?}"))
    }

    /// Calls one of the filter's exports; 0 for one without a result.
    fn call(&mut self, name: &str, arguments: &[u32]) -> wasmtime::Result<u32> {
        if self.dead {
            wasmtime::bail!("the filter trapped before, and the VM with it");
        }
        refuel(&mut self.store)?;
        self.store.data_mut().effective_context = arguments.first().copied().unwrap_or(ROOT_CONTEXT);
        let Some(function) = self.instance.get_func(&mut self.store, name) else {
            wasmtime::bail!("the filter has no export {name}");
        };
        let arguments: Vec<Val> = arguments.iter().map(|argument| Val::I32(argument.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        self.store.data_mut().stream.entries.push(name.to_owned());
        let called = function.call(&mut self.store, &arguments, &mut results);
        let spent = FUEL_PER_CALL - self.store.get_fuel()?;
        self.store.data_mut().stream.fuel += spent;
        self.dead = called.is_err();
        called?;
        Ok(results.first().and_then(Val::i32).unwrap_or(0).cast_unsigned())
    }

    /// Calls an export that the filter may lack, as Envoy does: callbacks are optional.
    fn call_if_exported(&mut self, name: &str, arguments: &[u32]) -> wasmtime::Result<u32> {
        match self.instance.get_func(&mut self.store, name) {
            Some(_) => self.call(name, arguments),
            None => Ok(0),
        }
    }
}

fn reset(_in_flight: &[SubRequest]) -> (usize, SubResponse) {
    (0, SubResponse::reset())
}

fn refuel(store: &mut Store<Proxy>) -> wasmtime::Result<()> {
    store.set_fuel(FUEL_PER_CALL)
}
