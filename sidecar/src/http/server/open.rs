//! The open connections of one socket, shared by its accept loop and its connections.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::SocketLimits;
use super::peer::Peer;
use super::ranks::{ConnectionId, Rank};
use super::table::{Admission, ConnectionTable, Limit, TableLimits};
use crate::metrics::{Metrics, Port};

/// Evicted connections that are asked to close, rather than closed at once. More are closed at once: the peers of a flood
/// must not hold more connections than the limit by closing slowly.
const MAX_LEAVING: usize = 64;

type Table = Mutex<ConnectionTable<CancellationToken>>;

/// The open connections of one socket.
pub(super) struct OpenConnections {
    table: Arc<Table>,
    leaving: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    port: Port,
}

impl OpenConnections {
    pub(super) fn new(limits: &SocketLimits, port: Port, metrics: Arc<Metrics>) -> Self {
        let limits = TableLimits { connections: limits.connections, per_peer: limits.per_peer };
        let table = Arc::new(Mutex::new(ConnectionTable::new(limits)));
        Self { table, leaving: Arc::new(Semaphore::new(MAX_LEAVING)), metrics, port }
    }

    /// Admits a connection from `address`, in place of the idlest one if a limit is reached. None: close it.
    pub(super) fn admit(&self, address: IpAddr) -> Option<OpenConnection> {
        let evicted = CancellationToken::new();
        match lock(&self.table).admit(Peer::from(address), evicted.clone(), Instant::now()) {
            Admission::Admitted(id, idlest) => {
                if let Some((idlest, limit)) = idlest {
                    idlest.cancel();
                    self.metrics.connections.evicted(self.port, limit.name());
                }
                Some(OpenConnection { id, table: Arc::clone(&self.table), leaving: Arc::clone(&self.leaving), evicted })
            }
            Admission::Refused(limit) => {
                self.metrics.connections.refused(self.port, limit.name());
                None
            }
        }
    }

    /// Evicts up to `count` of the idlest, because no file descriptor is free; returns how many.
    pub(super) fn free_files(&self, count: usize) -> usize {
        let mut table = lock(&self.table);
        let evicted = (0..count).map_while(|_| table.evict_idlest());
        evicted
            .inspect(|idlest| {
                idlest.cancel();
                self.metrics.connections.evicted(self.port, Limit::Files.name());
            })
            .count()
    }
}

/// One connection; it leaves the table when dropped.
pub(super) struct OpenConnection {
    id: ConnectionId,
    table: Arc<Table>,
    leaving: Arc<Semaphore>,
    evicted: CancellationToken,
}

impl OpenConnection {
    /// Waits until the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// What it is doing, and since when.
    pub(super) fn rank(&self) -> Option<Rank> {
        lock(&self.table).rank(self.id)
    }

    /// A place among the evicted connections that are asked to close; None if too many of them are still open.
    pub(super) fn leave(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.leaving).try_acquire_owned().ok()
    }

    /// The headers of a request have arrived. Returns its two guards: until its body has arrived, and until its response.
    pub(super) fn request(&self) -> (Arriving, InFlight) {
        lock(&self.table).begin(self.id, Instant::now());
        let table = || Arc::clone(&self.table);
        (Arriving { id: self.id, table: table() }, InFlight { id: self.id, table: table() })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        lock(&self.table).close(self.id);
    }
}

/// The body of a request is arriving.
pub(super) struct Arriving {
    id: ConnectionId,
    table: Arc<Table>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        lock(&self.table).received(self.id, Instant::now());
    }
}

/// A request has no response yet.
pub(super) struct InFlight {
    id: ConnectionId,
    table: Arc<Table>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.table).end(self.id, Instant::now());
    }
}

/// A request's body that reports when it has arrived.
pub(super) struct ArrivingBody<B> {
    body: B,
    arriving: Option<Arriving>,
}

impl<B: Body> ArrivingBody<B> {
    pub(super) fn new(body: B, arriving: Arriving) -> Self {
        let arriving = (!body.is_end_stream()).then_some(arriving);
        Self { body, arriving }
    }
}

impl<B: Body + Unpin> Body for ArrivingBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.arriving = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A panic elsewhere leaves the table consistent: no step of it can panic half-way.
fn lock(table: &Table) -> MutexGuard<'_, ConnectionTable<CancellationToken>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
