//! Structured logs on standard output; panics are logged like anything else.

use std::panic;

use anyhow::Context;
use tracing::error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process.
///
/// # Errors
/// If the level is not valid, or logging was started before.
pub fn start(config: &Log) -> anyhow::Result<()> {
    // Every failed call would be an ERROR of the client's own, thousands a second in an outage. Ours say it once a batch.
    let level = format!("kube_client=off,{}", config.level);
    let filter = EnvFilter::try_new(level).context("log.level is not valid")?;
    let lines = match config.format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        LogFormat::Text => fmt::layer().boxed(),
    };
    registry().with(filter).with(lines).try_init().context("logging was started before")?;
    // A panic stops one request and is a bug: its place belongs in the log, not as bare text on standard error.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("(no message)");
        error!(place, message, "panic");
    }));
    Ok(())
}
