//! The limits of a socket.

use std::time::Duration;

/// The limits of one socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Open connections. For one more, the idlest is closed.
    pub connections: usize,
    /// Open connections of one peer: an IPv4 address or an IPv6 /64. For one more, its own idlest is closed.
    pub per_peer: usize,
    /// How long the TLS handshake and the headers of a connection's first request may take, from the accept.
    pub header_timeout: Duration,
    /// How long a connection may be idle between two requests, on HTTP/1 including the headers of the second.
    pub idle_timeout: Duration,
    /// How long a peer may read nothing of what is written to it, and keep a connection open that it was asked to close.
    pub write_timeout: Duration,
    /// Whether a connection is HTTP/1 and closed after one request, so that none stays open idle.
    pub once: bool,
}
