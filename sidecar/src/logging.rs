//! Structured logs on standard output, panics included; lines of one kind are limited.

mod episodes;
mod throttle;

use std::panic;

use anyhow::Context;
use tracing::error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

pub use self::episodes::{Episodes, Trouble};
pub use self::throttle::Throttle;
use crate::config::{Log, LogFormat};

/// Starts logging for the whole process. The result has to run, so that suppressed lines are counted in the log.
///
/// # Errors
/// If the level is invalid, or logging was started before.
pub fn start(config: &Log) -> anyhow::Result<Throttle> {
    // kube logs every failed call as ERROR, thousands per second in an outage. The sidecar logs once per batch.
    let level = format!("kube_client=off,{}", config.level);
    let filter = EnvFilter::try_new(level).context("log.level is invalid")?;
    let lines = match config.format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        LogFormat::Text => fmt::layer().boxed(),
    };
    let throttle = Throttle::default();
    registry()
        .with(filter)
        .with(throttle.clone())
        .with(lines)
        .try_init()
        .context("logging has already been started")?;
    // A panic is a bug that fails one request: log its location, instead of plain text on standard error.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("(no message)");
        error!(event = "panic", location, cause = message, "panic");
    }));
    Ok(throttle)
}
