//! When to leave: SIGTERM, as the kubelet sends it, or SIGINT, as a terminal does.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for either signal. Both are caught from the call on, not only once the future is awaited.
///
/// # Errors
/// If the signals cannot be caught.
pub fn requested() -> anyhow::Result<impl Future<Output = ()>> {
    let catch = |kind| -> anyhow::Result<Signal> { signal(kind).context("cannot catch signals") };
    let (mut terminate, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::requested;

    #[tokio::test]
    async fn it_is_requested_by_sigterm_and_by_sigint() {
        for signal in ["-TERM", "-INT"] {
            let requested = requested().unwrap();
            assert!(Command::new("kill").args([signal, &id().to_string()]).status().unwrap().success());
            requested.await;
        }
    }
}
