//! How hyper speaks HTTP on a connection: its bounds and timeouts.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;

use super::limits::SocketLimits;

/// Concurrent requests per HTTP/2 connection.
const MAX_STREAMS: u32 = 1024;
/// The headers of an HTTP/2 request, in bytes: of which a token may take 16 KiB.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// The read buffer of an HTTP/1 connection, in bytes, which also limits its headers. hyper's default is 408 KiB: too much
/// for thousands of connections.
const READ_BUFFER_BYTES: usize = 32 * 1024;
/// How often a silent HTTP/2 peer gets a PING.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long its acknowledgement may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// hyper's builder, within `limits`.
pub(super) fn builder(limits: &SocketLimits) -> Builder<TokioExecutor> {
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
