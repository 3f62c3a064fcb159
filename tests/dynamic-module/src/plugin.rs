//! What all streams share: the configuration, the counters, and, for each worker, the budget of bodies.

use std::cell::OnceCell;
use std::ptr;
use std::rc::Rc;

use onceway_filter::{Config, Decision, Request, Shared};

use crate::abi::{Buffer, EnvoyConfig, SUCCESS, envoy_dynamic_module_callback_http_filter_config_define_counter};

/// The ids of the counters, one per decision; `None` where Envoy did not define the counter.
#[derive(Clone, Copy)]
pub(crate) struct Counters([Option<usize>; Decision::ALL.len()]);

/// The module's configuration. All threads share it.
pub(crate) struct Plugin {
    json: Vec<u8>,
    pub(crate) counters: Counters,
}

/// What the streams of one worker share, as those of a VM do in the filter.
struct Worker {
    config: Rc<Config>,
    shared: Rc<Shared>,
}

thread_local! {
    /// One for a process: a module with several configurations would need one for each.
    static WORKER: OnceCell<Worker> = const { OnceCell::new() };
}

impl Plugin {
    /// The plugin with this configuration; `None` if it is invalid.
    pub(crate) fn new(envoy: EnvoyConfig, json: &[u8]) -> Option<Self> {
        Config::from_json(json).ok()?;
        Some(Self { json: json.to_vec(), counters: Counters::define(envoy) })
    }

    /// A request before its headers.
    pub(crate) fn request(&self) -> Request {
        WORKER.with(|worker| {
            let Worker { config, shared } = worker.get_or_init(|| Worker {
                // Checked in `new`.
                config: Rc::new(Config::from_json(&self.json).unwrap_or_default()),
                shared: Rc::default(),
            });
            Request::new(Rc::clone(config), Rc::clone(shared))
        })
    }
}

impl Counters {
    fn define(envoy: EnvoyConfig) -> Self {
        Self(Decision::ALL.map(|decision| {
            let (name, mut id) = (Buffer::of(decision.metric().as_bytes()), 0);
            // SAFETY: Envoy reads the name and writes the id during the call only.
            let result = unsafe {
                envoy_dynamic_module_callback_http_filter_config_define_counter(
                    envoy,
                    name,
                    ptr::null_mut(),
                    0,
                    &mut id,
                )
            };
            (result == SUCCESS).then_some(id)
        }))
    }

    /// The id of a decision's counter.
    pub(crate) fn id(&self, decision: Decision) -> Option<usize> {
        self.0.get(decision as usize).copied().flatten()
    }
}
