//! One HTTP stream: the core's request, and its answers as Envoy's.

use onceway_filter::{Action, Request};

use crate::abi::{CONTINUE, EnvoyFilter, STOP, STOP_WITHOUT_BUFFER};
use crate::host::EnvoyHost;
use crate::plugin::Plugin;

/// One stream.
pub(crate) struct Stream {
    request: Request,
    host: EnvoyHost,
}

impl Stream {
    pub(crate) fn new(plugin: &Plugin, filter: EnvoyFilter) -> Self {
        Self { request: plugin.request(), host: EnvoyHost::new(filter, plugin.counters) }
    }

    pub(crate) fn on_headers(&mut self, end_of_stream: bool) -> u32 {
        status(self.request.on_headers(&self.host, end_of_stream))
    }

    pub(crate) fn on_body(&mut self, end_of_stream: bool) -> u32 {
        let size = self.host.body_size();
        match self.request.on_body(&self.host, size, end_of_stream) {
            Action::Pause if end_of_stream => STOP_WITHOUT_BUFFER,
            action => status(action),
        }
    }

    pub(crate) fn on_trailers(&mut self) -> u32 {
        status(self.request.on_trailers(&self.host))
    }
}

const fn status(action: Action) -> u32 {
    match action {
        Action::Continue => CONTINUE,
        Action::Pause => STOP,
    }
}
