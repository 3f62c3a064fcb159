//! Owns a socket: limits its connections, closes silent ones and those that read nothing, and drains gracefully.
//!
//! axum's own `serve` limits neither connections nor the time for headers, so hyper serves the router here.

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

/// The pause after a failed accept: most often no file descriptor is free, and an immediate retry would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Concurrent requests per HTTP/2 connection.
const MAX_STREAMS: u32 = 1024;
/// The headers of an HTTP/2 request, in bytes.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// The read buffer of an HTTP/1 connection, in bytes, which also limits its headers. hyper's default is 408 KiB: too much
/// for thousands of connections.
const READ_BUFFER_BYTES: usize = 32 * 1024;
/// How often a silent HTTP/2 peer gets a PING.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long its acknowledgement may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits of one socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Open connections. More wait in the kernel's backlog.
    pub connections: usize,
    /// How long the headers of a connection's first request may take, from the accept.
    pub header_timeout: Duration,
    /// How long an HTTP/1 connection may be idle between two requests, including the headers of the second.
    pub idle_timeout: Duration,
    /// How long a peer may read nothing of what is written to it.
    pub write_timeout: Duration,
    /// Whether a connection is HTTP/1 and closed after one request, so that none stays open idle.
    pub once: bool,
}

/// Serves `router` on `listener` until `stop`; then stops accepting and returns once the requests in flight have ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: SocketLimits,
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
    // Close the socket: a new client is refused at once and can try another replica.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so a permit always comes.
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

async fn connection(stream: TcpStream, router: Router, limits: SocketLimits, stop: CancellationToken) {
    // A response is one small write: Nagle's algorithm would only delay it.
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
    // hyper starts its header timeout only once it knows the protocol, and also counts idle time between two requests. So
    // the first request is timed here, and hyper's header timeout is the idle timeout.
    let header_timeout = sleep(limits.header_timeout);
    pin!(header_timeout);
    let (mut stopping, mut timed) = (false, false);
    let ended = loop {
        select! {
            ended = serving.as_mut() => break ended,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
            () = header_timeout.as_mut(), if !timed => {
                timed = true;
                if !used.load(Ordering::Relaxed) {
                    break Ok(());
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!(error, "a connection failed");
    }
}

fn builder(limits: SocketLimits) -> Builder<TokioExecutor> {
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
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

#[cfg(test)]
mod tests;
