//! One connection, from its accept to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::debug;

use super::lifetime::{Step, on_eviction, on_time};
use super::limits::SocketLimits;
use super::open::{ArrivingBody, OpenConnection};
use super::protocol::builder;
use crate::http::security::{is_https, secure};
use crate::tls::Acceptor;

/// What every connection of a socket needs.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) limits: SocketLimits,
    pub(super) tls: Option<Acceptor>,
    pub(super) stop: CancellationToken,
}

impl Serving {
    /// Serves `stream` until either side closes it, it is evicted, or a time limit ends it.
    pub(super) async fn run(&self, stream: TcpStream, open: OpenConnection) {
        let opened = Instant::now();
        // A response is one small write: Nagle's algorithm would only delay it.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(self.limits.write_timeout));
        let stream = Box::pin(stream);
        let ended = match &self.tls {
            None => self.serve(stream, open).await,
            Some(tls) => match self.handshake(tls, stream, &open, opened).await {
                Ok(Some(stream)) => self.serve(stream, open).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = ended {
            debug!(error, "a connection failed");
        }
    }

    /// The TLS handshake, within the time for headers. None: it took too long, was evicted, or the socket stopped.
    async fn handshake<S>(
        &self,
        tls: &Acceptor,
        stream: S,
        open: &OpenConnection,
        opened: Instant,
    ) -> io::Result<Option<tokio_rustls::server::TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = timeout_at(opened + self.limits.header_timeout, tls.current().accept(stream));
        select! {
            done = handshake => done.ok().transpose(),
            () = open.evicted() => Ok(None),
            () = self.stop.cancelled() => Ok(None),
        }
    }

    async fn serve<S>(&self, stream: S, open: OpenConnection) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = Arc::new(open);
        let service = {
            let (open, router, tls) = (Arc::clone(&open), self.router.clone(), self.tls.is_some());
            service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (arriving, in_flight) = open.request();
                let https = is_https(request.headers(), tls);
                let response = router.clone().call(request.map(|body| ArrivingBody::new(body, arriving)));
                async move {
                    let response = response.await;
                    drop(in_flight);
                    response.map(|mut response| {
                        secure(response.headers_mut(), https);
                        response
                    })
                }
            })
        };
        let builder = builder(&self.limits);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut timer = pin!(sleep_until(Instant::now()));
        // When the peer was asked to close, and its place among those evicted.
        let (mut asked, mut _leaving, mut evicted) = (None, None, false);
        loop {
            let step = select! {
                ended = serving.as_mut() => return ended,
                () = self.stop.cancelled(), if asked.is_none() => Step::Shutdown,
                () = open.evicted(), if !evicted => {
                    evicted = true;
                    let (step, place) = leave(&open);
                    _leaving = place;
                    step
                }
                () = timer.as_mut() => {
                    let Some(rank) = open.rank() else { return Ok(()) };
                    on_time(rank, &self.limits, asked, Instant::now())
                }
            };
            match step {
                Step::Close => return Ok(()),
                Step::Wait(until) => timer.as_mut().reset(until),
                Step::Shutdown => {
                    asked = asked.or(Some(Instant::now()));
                    serving.as_mut().graceful_shutdown();
                    timer.as_mut().reset(Instant::now());
                }
            }
        }
    }
}

/// The step of an evicted connection, and its place among those that are asked to close.
fn leave(open: &OpenConnection) -> (Step, Option<OwnedSemaphorePermit>) {
    let Some(rank) = open.rank() else { return (Step::Close, None) };
    let place = open.leave();
    (on_eviction(rank.stage, place.is_some()), place)
}
