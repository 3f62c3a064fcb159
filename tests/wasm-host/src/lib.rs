//! A proxy for the filter's real `.wasm`, under wasmtime: what Envoy does with it, without Envoy.
//!
//! It makes the calls that Envoy makes, in Envoy's order, serves those host functions of proxy-wasm's ABI 0.2.1 that the
//! filter uses, and records what the filter does. Any host function can be made to fail. Fuel and memory are bounded, so
//! that a filter that loops or hoards is a failed test and not a hung one; fuel is deterministic, and so a measure of cost.
//!
//! ```no_run
//! use onceway_wasm_host::{Host, Request};
//!
//! let mut host = Host::new("");
//! let answer = host.request(Request::post("/api/v1/signals/prometheus").chunks([r#"{"alerts":"#, "[]}"]).trailers());
//! assert!(answer.passed());
//! assert_eq!(answer.fingerprint(), None);
//! assert_eq!(answer.outcomes(), ["nothing"]);
//! ```
//!
//! One [`Host`] is one VM, and serves any number of requests one after the other, as a VM in Envoy does. Building the module
//! and compiling it happen once per process; a host of its own for each test or fuzz case costs little.

use thiserror::Error;
use wasmtime::{Instance, Store, Val};

use self::http_call::Replying;
use self::module::compiled;
use self::proxy::Proxy;

mod abi;
mod answer;
mod http_call;
mod module;
mod proxy;
mod request;
mod stream;

pub use answer::{Answer, End};
pub use http_call::{HttpCall, Reply};
pub use proxy::{LocalResponse, LogLine, OUTCOMES};
pub use request::Request;

/// Fuel for one call into the filter; a body of 5 MiB takes a small part of it. What needs more is taken for a loop.
pub const FUEL_PER_CALL: u64 = 20_000_000_000;

/// The linear memory that a VM may have, in bytes. Envoy allows 1 GiB; the filter should never come near.
pub const MEMORY_LIMIT: usize = 256 * 1024 * 1024;

/// The plugin's own context; those of requests have larger numbers.
const ROOT_CONTEXT: u32 = 1;

/// A proxy with one VM in which the filter runs.
pub struct Host {
    store: Store<Proxy>,
    instance: Instance,
    last_context: u32,
    /// Whether the filter has trapped: nothing in this VM can be relied on from then on.
    dead: bool,
    replying: Replying,
}

/// Why the filter did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// It refused its configuration; what it logged says why.
    #[error("the filter refused its configuration: {0:?}")]
    Refused(Vec<LogLine>),
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

    /// A proxy that runs the filter with this plugin configuration, where host functions fail from the beginning: each named
    /// in `faults` with the status that it answers.
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
        let mut host = Host { store, instance, last_context: ROOT_CONTEXT, dead: false, replying: Box::new(reset) };
        match host.configure() {
            Ok(true) => Ok(host),
            Ok(false) => Err(StartError::Refused(host.store.into_data().log)),
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

    /// From now on, lets a host function fail with this status, whatever it is asked.
    pub fn fail(&mut self, call: &str, status: u32) {
        self.store.data_mut().faults.insert(call.to_owned(), status);
    }

    /// Lets all host functions work again.
    pub fn heal(&mut self) {
        self.store.data_mut().faults.clear();
    }

    /// From now on, replies to each of the filter's own requests with what `reply` makes of it, the oldest first. Until
    /// then, their connections break off.
    pub fn reply(&mut self, mut reply: impl FnMut(&HttpCall) -> Reply + 'static) {
        self.reply_picking(move |calls| (0, reply(&calls[0])));
    }

    /// The same, where `pick` also chooses which of those in flight is replied to next, by its place.
    pub fn reply_picking(&mut self, pick: impl FnMut(&[HttpCall]) -> (usize, Reply) + 'static) {
        self.replying = Box::new(pick);
    }

    /// From now on, so many of the filter's own requests may be in flight at once, as by a circuit breaker.
    pub fn breaker(&mut self, in_flight: usize) {
        self.store.data_mut().breaker = in_flight;
    }

    /// Lets time pass.
    pub fn pass_time(&mut self, ms: u64) {
        self.store.data_mut().now_ns += ms * 1_000_000;
    }

    /// The host functions that the filter has called so far, failed calls included, by name.
    #[must_use]
    pub fn called(&self) -> Vec<String> {
        self.store.data().called.iter().cloned().collect()
    }

    /// The counters that the filter has defined, with their values.
    #[must_use]
    pub fn counters(&self) -> &[(String, u64)] {
        &self.store.data().counters
    }

    /// The size of the VM's memory, in bytes. It never shrinks, so that this is the most that was needed.
    pub fn memory(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Sends a request through the filter, to its end.
    pub fn request(&mut self, request: Request) -> Answer {
        self.last_context += 1;
        stream::run(self, self.last_context, request)
    }

    /// Calls one of the filter's exports; 0 stands for the result of one that has none.
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
        let called = function.call(&mut self.store, &arguments, &mut results);
        let spent = FUEL_PER_CALL - self.store.get_fuel()?;
        self.store.data_mut().stream.fuel += spent;
        self.dead = called.is_err();
        called?;
        Ok(results.first().and_then(Val::i32).unwrap_or(0).cast_unsigned())
    }
}

fn reset(_calls: &[HttpCall]) -> (usize, Reply) {
    (0, Reply::reset())
}

fn refuel(store: &mut Store<Proxy>) -> wasmtime::Result<()> {
    store.set_fuel(FUEL_PER_CALL)
}
