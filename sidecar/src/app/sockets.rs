//! The three sockets, bound before anything else: an address in use fails at once, and so does a broken certificate.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

use crate::config::{Listen, Tls};
use crate::tls::Served;

/// Connections that wait to be accepted, as far as the kernel allows (net.core.somaxconn). When it is full a client's
/// attempt is lost, and the next one follows after a second.
const BACKLOG: u32 = 4096;

/// The listening sockets.
#[derive(Debug)]
pub struct Sockets {
    /// `listen.signals`.
    pub signals: TcpListener,
    /// `listen.health`.
    pub health: TcpListener,
    /// `listen.metrics`.
    pub metrics: TcpListener,
    /// `tls`; plain without.
    pub tls: Option<Served>,
}

impl Sockets {
    /// Binds all three.
    ///
    /// # Errors
    /// If an address cannot be bound; the error names its key.
    pub async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            signals: bind("listen.signals", listen.signals)?,
            health: bind("listen.health", listen.health)?,
            metrics: bind("listen.metrics", listen.metrics)?,
            tls: None,
        })
    }

    /// Reads the files of `tls`.
    ///
    /// # Errors
    /// If they cannot be used; the error names the file and what is wrong with it.
    pub async fn with_tls(self, tls: Option<&Tls>) -> anyhow::Result<Self> {
        let Some(tls) = tls else { return Ok(self) };
        let served = Served::start(tls).await.context("cannot serve TLS")?;
        Ok(Self { tls: Some(served), ..self })
    }

    /// Logs the addresses in use: with port 0 the kernel has chosen the port.
    ///
    /// # Errors
    /// If a socket has no address.
    pub fn log(&self) -> anyhow::Result<()> {
        let (signals, health, metrics) =
            (self.signals.local_addr()?, self.health.local_addr()?, self.metrics.local_addr()?);
        info!(event = "listening", %signals, %health, %metrics, tls = self.tls.is_some(), "listening");
        Ok(())
    }
}

fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    // `[::]` falls back to 0.0.0.0 on a machine without IPv6. The first address that can be bound wins.
    let fallback = (address.ip() == Ipv6Addr::UNSPECIFIED).then_some((Ipv4Addr::UNSPECIFIED, address.port()).into());
    let listener = listen(address).or_else(|error| fallback.map_or(Err(error), listen));
    listener.with_context(|| format!("cannot listen on {address} ({key}); is the address in use?"))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A replica that restarts must not wait for the last one's connections to leave TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
