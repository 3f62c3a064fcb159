//! Shutdown on SIGTERM (kubelet) or SIGINT (terminal).

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A future that waits for either signal. Both are caught from this call on, not only once it is awaited.
///
/// # Errors
/// If a signal handler cannot be installed.
pub fn requested() -> anyhow::Result<impl Future<Output = ()>> {
    let catch = |kind| -> anyhow::Result<Signal> { signal(kind).context("cannot install a signal handler") };
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
    async fn sigterm_and_sigint_request_a_shutdown() {
        for signal in ["-TERM", "-INT"] {
            let requested = requested().unwrap();
            assert!(Command::new("kill").args([signal, &id().to_string()]).status().unwrap().success());
            requested.await;
        }
    }
}
