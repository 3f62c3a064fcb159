//! Uploads that stop just before their end, over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, pending};
use futures::stream::{self, BoxStream, StreamExt};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, oneshot};

/// The announced size of a body.
const BODY_BYTES: usize = 5_000_000;
/// What an upload over HTTP/1.1 stops before; one over HTTP/2 sends all, and does not end.
const MISSING_BYTES: usize = 10;
const CHUNK: &[u8] = &[b' '; 50_000];

/// How an upload ended.
pub(super) enum Upload {
    /// It got a response before it had sent all but the last bytes.
    Answered { status: u16, retry_after: Option<String> },
    /// It has sent them, and holds its connection or stream.
    Stalled(#[expect(dead_code, reason = "held to keep the upload stalled")] Held),
}

/// What keeps a stalled upload open; dropping it ends the upload.
pub(super) enum Held {
    Connection(#[expect(dead_code, reason = "held open")] TcpStream),
    Stream(#[expect(dead_code, reason = "held open")] BoxFuture<'static, hyper::Result<Response<Incoming>>>),
}

/// One upload on a connection of its own.
pub(super) async fn over_http_1(envoy: SocketAddr) -> Result<Upload> {
    let mut connection = TcpStream::connect(envoy).await?;
    let path = Source::Prometheus.path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: o\r\ncontent-type: application/json\r\ncontent-length: {BODY_BYTES}\r\n\r\n"
    );
    let (mut reader, mut writer) = connection.split();
    let send = async {
        writer.write_all(head.as_bytes()).await?;
        let mut left = BODY_BYTES - MISSING_BYTES;
        while left > 0 {
            let chunk = &CHUNK[..left.min(CHUNK.len())];
            writer.write_all(chunk).await?;
            left -= chunk.len();
        }
        std::io::Result::Ok(())
    };
    let mut response = Vec::new();
    let read = async {
        while !response.windows(4).any(|end| end == b"\r\n\r\n") {
            ensure!(reader.read_buf(&mut response).await? > 0, "closed without a response");
        }
        Ok(())
    };
    tokio::pin!(read);
    tokio::select! {
        biased;
        answered = &mut read => answered?,
        sent = send => match sent {
            Ok(()) => return Ok(Upload::Stalled(Held::Connection(connection))),
            // Envoy closed the connection after its response, which is still to be read.
            Err(_) => read.await?,
        },
    }
    let response = String::from_utf8_lossy(&response).to_lowercase();
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let retry_after = response.lines().find_map(|line| line.strip_prefix("retry-after: ")).map(str::to_owned);
    Ok(Upload::Answered { status, retry_after })
}

/// A connection of HTTP/2; each call of the result is one upload on it.
pub(super) fn over_http_2(envoy: SocketAddr) -> impl Fn() -> BoxFuture<'static, Result<Upload>> {
    let connection = Arc::new(OnceCell::new());
    move || {
        let connection = Arc::clone(&connection);
        async move {
            let connect = async || {
                let stream = TcpStream::connect(envoy).await?;
                let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                anyhow::Ok(sender)
            };
            let sender = connection.get_or_try_init(connect).await?;
            stream(sender.clone(), envoy).await
        }
        .boxed()
    }
}

async fn stream(mut sender: SendRequest<Stalling>, envoy: SocketAddr) -> Result<Upload> {
    let uri = format!("http://{envoy}{}", Source::Prometheus.path());
    let (body, sent) = stalling();
    let request = Request::post(uri).header("content-type", "application/json").body(body)?;
    sender.ready().await?;
    let mut response = sender.send_request(request).boxed();
    tokio::select! {
        biased;
        response = &mut response => {
            let response = response?;
            let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            Ok(Upload::Answered { status: response.status().as_u16(), retry_after: retry_after.map(str::to_owned) })
        }
        // The sender is dropped with the body when Envoy resets the stream, after its response.
        Ok(()) = sent => Ok(Upload::Stalled(Held::Stream(response))),
    }
}

type Stalling = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

/// A body that announces that all but its last bytes are sent, and never ends.
fn stalling() -> (Stalling, oneshot::Receiver<()>) {
    let (all_sent, sent) = oneshot::channel();
    let chunks = stream::iter((0..BODY_BYTES / CHUNK.len()).map(|_| Ok(Frame::data(Bytes::from_static(CHUNK)))));
    let stall = stream::once(async {
        // Nobody waits if the response came first.
        let _ = all_sent.send(());
        pending().await
    });
    (StreamBody::new(chunks.chain(stall).boxed()), sent)
}
