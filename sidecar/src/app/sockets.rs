//! The three sockets, bound before anything else, so that a port that is taken is the first thing to be known.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;
use tracing::info;

use crate::config::Listen;

/// The sockets, bound and listening.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) signals: TcpListener,
    pub(super) health: TcpListener,
    pub(super) metrics: TcpListener,
}

impl Sockets {
    /// Binds all three.
    pub(super) async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            signals: bind("listen.signals", listen.signals).await?,
            health: bind("listen.health", listen.health).await?,
            metrics: bind("listen.metrics", listen.metrics).await?,
        })
    }

    /// Logs the addresses in use, which the kernel chose where the configuration says port 0.
    pub(super) fn log(&self) -> anyhow::Result<()> {
        let (signals, health, metrics) =
            (self.signals.local_addr()?, self.health.local_addr()?, self.metrics.local_addr()?);
        info!(%signals, %health, %metrics, "listening");
        Ok(())
    }
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    // The first that can be bound. Every address, by IPv6, is no address on a machine without it.
    let every = (address.ip() == Ipv6Addr::UNSPECIFIED).then_some((Ipv4Addr::UNSPECIFIED, address.port()).into());
    let addresses: Vec<SocketAddr> = [address].into_iter().chain(every).collect();
    TcpListener::bind(addresses.as_slice())
        .await
        .with_context(|| format!("cannot listen on {address} ({key}); is it taken?"))
}
