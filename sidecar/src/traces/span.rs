//! One span, and what makes its children.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceId, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

use super::Traces;

/// Links of one span: a batch may count the signals of more requests.
pub const MAX_LINKS: u32 = 128;

/// A span that is recorded, or none: then nothing that is called costs more than a look. It ends with its last clone.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Recorded>>);

struct Recorded {
    tracer: SdkTracer,
    context: Context,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.context().map(|context| context.span_id())).finish()
    }
}

impl Traces {
    /// The span of a request that arrived at `began`, and the id of its trace even if it is not sampled; no id while there are no
    /// spans. `parent` decides whether it is sampled: only that of a sender who may be followed.
    pub fn request(
        &self,
        name: &'static str,
        parent: Option<SpanContext>,
        began: SystemTime,
    ) -> (Trace, Option<TraceId>) {
        let Some(tracer) = &self.0 else { return (Trace::default(), None) };
        let parent = parent.map(|parent| Context::new().with_remote_span_context(parent)).unwrap_or_default();
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_start_time(began);
        Trace::begin(tracer, builder, &parent)
    }
}

impl Trace {
    fn begin(tracer: &SdkTracer, builder: SpanBuilder, parent: &Context) -> (Self, Option<TraceId>) {
        let context = parent.with_span(tracer.build_with_context(builder, parent));
        let id = context.span().span_context().trace_id();
        let is_recorded = context.span().is_recording();
        let recorded = is_recorded.then(|| Arc::new(Recorded { tracer: tracer.clone(), context }));
        (Self(recorded), Some(id))
    }

    /// Whether it is recorded.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// A span within this one.
    #[must_use]
    pub fn child(&self, name: impl Into<Cow<'static, str>>, kind: SpanKind) -> Self {
        self.child_of_all(name, kind, &[])
    }

    /// A span within this one that serves `others`, too.
    #[must_use]
    pub fn child_of_all(&self, name: impl Into<Cow<'static, str>>, kind: SpanKind, others: &[Self]) -> Self {
        let Some(recorded) = &self.0 else { return Self::default() };
        let links = others.iter().filter_map(Self::context).map(Link::with_context).collect();
        let builder = recorded.tracer.span_builder(name).with_kind(kind).with_links(links);
        Self::begin(&recorded.tracer, builder, &recorded.context).0
    }

    /// Sets an attribute.
    pub fn set<V: Into<Value>>(&self, key: &'static str, value: impl FnOnce() -> V) {
        if let Some(recorded) = &self.0 {
            recorded.context.span().set_attribute(KeyValue::new(key, value()));
        }
    }

    /// What it stands for failed.
    pub fn fail(&self, cause: impl FnOnce() -> String) {
        if let Some(recorded) = &self.0 {
            recorded.context.span().set_status(Status::error(cause()));
        }
    }

    fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|recorded| recorded.context.span().span_context().clone())
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.context.span().end();
    }
}
