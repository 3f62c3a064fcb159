//! OpenTelemetry traces: a span for each request, for each batch that counts its signals, and for each call to the API server.
//! Off unless `tracing.otlp.endpoint` is set; then nothing of it exists.
//!
//! ```text
//! Envoy's traceparent ─▶ request ─▶ batch (links to all its requests) ─▶ calls to the API server
//! ```
//!
//! A span that is not sampled has no children. Ended spans wait in a bounded queue for a task that exports them: a collector that
//! is slow or away costs spans, and no signal waits for it.

mod export;
mod parent;
mod queue;
mod span;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::parent::parent;
pub use opentelemetry::trace::SpanKind;

pub use self::span::{MAX_LINKS, Trace};
use crate::config::{Otlp, Tracing};
use crate::metrics::Metrics;

/// The name of what makes the spans.
const SCOPE: &str = "onceway";

/// What makes the spans of requests; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<SdkTracer>);

/// Who makes the spans, for whoever reads them.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The pod.
    pub pod: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

/// Exports spans until it is ended.
pub struct Exporting {
    provider: SdkTracerProvider,
    task: JoinHandle<()>,
    limit: Duration,
}

impl Traces {
    /// None.
    pub fn off() -> Self {
        Self(None)
    }

    /// Begins to make spans and to export them, if that is configured.
    ///
    /// # Errors
    /// If the endpoint is no URL, which the check of the configuration excludes.
    pub fn start(
        config: &Tracing,
        identity: Identity<'_>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<(Self, Option<Exporting>)> {
        let Otlp { endpoint, timeout } = &config.otlp;
        let Some(endpoint) = endpoint else { return Ok((Self::off(), None)) };
        let resource = resource(identity);
        let exporter = export::Exporter::new(endpoint, *timeout, &resource)?;
        let (queue, spans) = queue::bounded(Arc::clone(&metrics));
        let task = tokio::spawn(queue::export(spans, exporter, metrics));
        // The decision of whoever called; else, by the trace's id, that of every replica.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sampling.as_f64())));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(sampler)
            .with_max_links_per_span(MAX_LINKS)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(SCOPE);
        Ok((Self(Some(tracer)), Some(Exporting { provider, task, limit: *timeout })))
    }

    /// Whether there are any spans.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Exporting {
    /// Exports what waits, for as long as one export may take; further spans are dropped.
    pub async fn end(self) {
        let Self { provider, task, limit } = self;
        // The queue closes, and the task ends when it is empty.
        let _ = provider.shutdown();
        drop(provider);
        let _ = timeout(limit, task).await;
    }
}

fn resource(Identity { pod, namespace }: Identity<'_>) -> Resource {
    let attributes = [
        ("service.name", SCOPE),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", pod),
        ("k8s.pod.name", pod),
        ("k8s.namespace.name", namespace),
    ];
    let attributes = attributes.map(|(key, value)| KeyValue::new(key, value.to_owned()));
    Resource::builder_empty().with_attributes(attributes).build()
}

#[cfg(test)]
mod tests;
