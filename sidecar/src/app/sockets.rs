//! The three sockets, bound before anything else: an address in use fails at once.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;
use tracing::info;

use crate::config::Listen;

/// The listening sockets.
#[derive(Debug)]
pub struct Sockets {
    /// `listen.signals`.
    pub signals: TcpListener,
    /// `listen.health`.
    pub health: TcpListener,
    /// `listen.metrics`.
    pub metrics: TcpListener,
}

impl Sockets {
    /// Binds all three.
    ///
    /// # Errors
    /// If an address cannot be bound; the error names its key.
    pub async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            signals: bind("listen.signals", listen.signals).await?,
            health: bind("listen.health", listen.health).await?,
            metrics: bind("listen.metrics", listen.metrics).await?,
        })
    }

    /// Logs the addresses in use: with port 0 the kernel has chosen the port.
    ///
    /// # Errors
    /// If a socket has no address.
    pub fn log(&self) -> anyhow::Result<()> {
        let (signals, health, metrics) =
            (self.signals.local_addr()?, self.health.local_addr()?, self.metrics.local_addr()?);
        info!(%signals, %health, %metrics, "listening");
        Ok(())
    }
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    // `[::]` falls back to 0.0.0.0 on a machine without IPv6. The first address that can be bound wins.
    let fallback = (address.ip() == Ipv6Addr::UNSPECIFIED).then_some((Ipv4Addr::UNSPECIFIED, address.port()).into());
    let addresses: Vec<SocketAddr> = [address].into_iter().chain(fallback).collect();
    TcpListener::bind(addresses.as_slice())
        .await
        .with_context(|| format!("cannot listen on {address} ({key}); is the address in use?"))
}
