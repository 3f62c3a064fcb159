//! Loopback ports that cannot clash, even between concurrent test processes.
//!
//! Servers such as kube-apiserver cannot use port 0, and a replica that restarts must listen where the load balancer
//! expects it. Binding port 0 and closing the socket would lose the port. Here the socket that got the port from the
//! kernel stays bound, with `SO_REUSEADDR` and without listening, while the [`Port`] lives. The kernel then assigns the
//! port to no other socket, neither for bind nor as the source of a connection; a server that names it and sets
//! `SO_REUSEADDR` itself (Go, Envoy and tokio do) can bind it, end, and bind it again.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::TcpSocket;

/// A reserved TCP port of an address of this machine.
#[derive(Debug)]
pub struct Port {
    // Held, never read: the bound socket reserves the port.
    _socket: TcpSocket,
    addr: SocketAddr,
}

impl Port {
    /// Reserves a port that the kernel chooses.
    ///
    /// # Errors
    /// If the loopback interface has no port left.
    pub fn reserve() -> Result<Self> {
        Self::reserve_at(Ipv4Addr::LOCALHOST, 0)
    }

    /// Reserves this port of this address.
    ///
    /// # Errors
    /// If it is in use, or the address is not of this machine.
    pub fn reserve_at(address: Ipv4Addr, number: u16) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((address, number).into()).with_context(|| format!("no port can be reserved at {address}"))?;
        let addr = socket.local_addr()?;
        Ok(Self { _socket: socket, addr })
    }

    /// The reserved address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The reserved port's number.
    pub fn number(&self) -> u16 {
        self.addr.port()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::net::{TcpListener, TcpStream};

    use super::Port;

    #[tokio::test]
    async fn a_reserved_port_can_be_bound_repeatedly_by_its_server_and_by_no_other() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let reserved: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(reserved.len(), 50);

        for _ in 0..3 {
            let server = TcpListener::bind(ports[0].addr()).await.unwrap();
            let client = TcpStream::connect(ports[0].addr()).await.unwrap();
            assert!(!reserved.contains(&client.local_addr().unwrap().port()));
            let _accepted = server.accept().await.unwrap();
        }
        for _ in 0..200 {
            let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert!(!reserved.contains(&other.local_addr().unwrap().port()));
        }
    }
}
