//! The queue of ended spans, and the task that exports them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;
use tracing::debug;

use super::export::Exporter;
use crate::logging::Trouble;
use crate::metrics::Metrics;

/// Spans that wait to be exported; about 1 KiB each. Further ones are dropped.
pub(super) const MAX_QUEUE: usize = 4096;
/// Spans of one export.
const MAX_BATCH: usize = 512;
/// How long an export waits for more spans.
const INTERVAL: Duration = Duration::from_secs(1);

/// Takes ended spans. The SDK's own processor does not tell how many it drops, and exports from a thread of its own.
pub(super) struct Queue {
    /// `None` once the provider is shut down.
    sender: Mutex<Option<Sender<SpanData>>>,
    metrics: Arc<Metrics>,
}

/// An empty queue.
pub(super) fn bounded(metrics: Arc<Metrics>) -> (Queue, Receiver<SpanData>) {
    let (sender, receiver) = channel(MAX_QUEUE);
    (Queue { sender: Mutex::new(Some(sender)), metrics }, receiver)
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let is_queued = sender.as_ref().is_some_and(|sender| sender.try_send(span).is_ok());
        if !is_queued {
            self.metrics.spans.add("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        // What waits is still exported, see `export`.
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

/// Exports spans until the queue is closed and empty. A failed export is not repeated: the next one has newer spans.
pub(super) async fn export(mut spans: Receiver<SpanData>, exporter: Exporter, metrics: Arc<Metrics>) {
    loop {
        let mut batch = Vec::new();
        if spans.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        if batch.len() < MAX_BATCH && !spans.is_closed() {
            sleep(INTERVAL).await;
            while batch.len() < MAX_BATCH
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
        }
        let sent = batch.len();
        match exporter.export(batch).await {
            Ok(rejected) => {
                metrics.spans.add("exported", sent.saturating_sub(rejected));
                metrics.spans.add("failed", rejected.min(sent));
            }
            Err(cause) => {
                metrics.spans.add("failed", sent);
                metrics.episodes.hit(Trouble::ExportFailing);
                debug!(spans = sent, %cause, "spans could not be exported");
            }
        }
    }
}
