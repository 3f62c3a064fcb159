//! Owns a socket: accepts as many connections as are allowed, drops those that say or read nothing, and ends them in good
//! order.
//!
//! axum's own `serve` has neither a limit of connections nor a time for headers, so its router is served by hyper here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

use crate::metrics::Metrics;

/// The pause after a failed accept: most often no file descriptor is left, and trying at once does not bring one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests that one HTTP/2 connection may have open at once.
const MAX_STREAMS: u32 = 1024;
/// All headers of an HTTP/2 request, in bytes.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// What an HTTP/1 connection reads ahead, in bytes, and so the most that the headers of a request may be. (hyper's default
/// is 408 KiB, which thousands of connections could fill.)
const READ_BUFFER_BYTES: usize = 32 * 1024;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it may take to answer.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// What one socket takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's backlog.
    pub connections: usize,
    /// How long the headers of a connection's first request may take, from its opening.
    pub header_timeout: Duration,
    /// How long an HTTP/1 connection may be silent between two requests, the headers of the second included.
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// Whether a connection serves one request, over HTTP/1, and is closed: then none can be kept without being used.
    pub once: bool,
}

/// Serves `router` on `listener` until `stop`; then accepts no more, lets every request in hand end, and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: Option<Arc<Metrics>>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    while let Some((stream, slot)) = stop.run_until_cancelled(accept(&listener, &slots)).await {
        let gauge = metrics.as_ref().map(|metrics| metrics.connection());
        let connection = connection(stream, router.clone(), limits, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop((slot, gauge));
        });
    }
    // Closed, not left to fill: who connects now is refused at once, and can go to another replica.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Nobody closes the semaphore, so there always is a permit in the end.
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // An answer is one small write; waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let used = AtomicBool::new(false);
    let service = service_fn(|request| {
        used.store(true, Ordering::Relaxed);
        router.clone().call(request)
    });
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.write_timeout));
    let builder = builder(limits);
    let serving = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
    pin!(serving);
    // hyper times headers only once it knows the protocol, and takes idleness between two requests for slow headers. So
    // the first request is timed here, and hyper is given the time for idleness.
    let silence = sleep(limits.header_timeout);
    pin!(silence);
    let (mut stopping, mut heard) = (false, false);
    let ended = loop {
        select! {
            ended = serving.as_mut() => break ended,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
            () = silence.as_mut(), if !heard => {
                heard = used.load(Ordering::Relaxed);
                if !heard {
                    break Ok(());
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!(error, "a connection broke off");
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if limits.once {
        builder = builder.http1_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(READ_BUFFER_BYTES)
        .keep_alive(!limits.once);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}

#[cfg(test)]
mod tests;
