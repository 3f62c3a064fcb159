//! Owns a socket: admits its connections, evicts the idlest beyond its limits, closes silent ones and those that read
//! nothing, and drains gracefully.
//!
//! axum's own `serve` limits neither connections nor the time for headers, so hyper serves the router here. Accepting never
//! waits for a place: a place is taken from the idlest connection, so that silent peers cannot shut others out.

mod connection;
mod lifetime;
mod limits;
mod open;
mod peer;
mod protocol;
mod ranks;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use self::connection::Serving;
pub use self::limits::SocketLimits;
use self::open::OpenConnections;
use crate::metrics::{Metrics, Port};
use crate::tls::Acceptor;

/// The pause after a failed accept: most often no file descriptor is free, and an immediate retry would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The shorter pause where evicted connections free file descriptors meanwhile.
const EVICTION_PAUSE: Duration = Duration::from_millis(5);
/// How many connections are evicted at once where no file descriptor is free.
const EVICTED_FOR_FILES: usize = 32;

/// A socket to serve.
#[derive(Debug)]
pub struct Socket {
    /// The listening socket.
    pub listener: TcpListener,
    /// Which of the ports it is, for metrics.
    pub port: Port,
    /// Its limits.
    pub limits: SocketLimits,
    /// TLS; plain without.
    pub tls: Option<Acceptor>,
}

/// Serves `router` on `socket` until `stop`; then stops accepting and returns once the requests in flight have ended.
pub async fn serve(socket: Socket, router: Router, metrics: Arc<Metrics>, stop: CancellationToken) {
    let Socket { listener, port, limits, tls } = socket;
    let open = OpenConnections::new(&limits, port, Arc::clone(&metrics));
    let serving = Arc::new(Serving { router, limits, tls, stop: stop.clone() });
    let connections = TaskTracker::new();
    while let Some((stream, address)) = stop.run_until_cancelled(accept(&listener, &open)).await {
        // Nobody is evictable: the newcomer is closed.
        let Some(admitted) = open.admit(address.ip()) else { continue };
        let gauge = (port == Port::Signals).then(|| metrics.connection());
        let serving = Arc::clone(&serving);
        connections.spawn(async move {
            serving.run(stream, admitted).await;
            drop(gauge);
        });
    }
    // Close the socket: a new client is refused at once and can try another replica.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener, open: &OpenConnections) -> (TcpStream, SocketAddr) {
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        warn!(event = "accept_failed", cause = %error, "cannot accept a connection; is the limit of open files too low?");
        let evicted = open.free_files(EVICTED_FOR_FILES);
        sleep(if evicted > 0 { EVICTION_PAUSE } else { ACCEPT_PAUSE }).await;
    }
}

#[cfg(test)]
mod tests;
