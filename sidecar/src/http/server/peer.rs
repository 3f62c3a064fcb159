//! Who a connection is counted against.

use std::net::{IpAddr, Ipv6Addr};

/// The bits of an IPv6 address that name a network: one host usually owns all addresses of a /64.
const IPV6_NETWORK: u128 = !0 << 64;

/// The peer of a connection: an IPv4 address or an IPv6 /64 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        // A socket on `[::]` shows IPv4 peers as `::ffff:a.b.c.d`.
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & IPV6_NETWORK).into(),
            v4 => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Peer;

    fn peer(address: &str) -> Peer {
        Peer::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one_peer() {
        assert_eq!(peer("2001:db8:0:1::1"), peer("2001:db8:0:1:ffff::2"));
        assert_ne!(peer("2001:db8:0:1::1"), peer("2001:db8:0:2::1"));
    }

    #[test]
    fn an_ipv4_address_is_the_same_peer_on_a_socket_of_both_families() {
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
