//! The loopback interface of a new network, which the kernel creates and does not start.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use libc::{__c_anonymous_ifr_ifru as Setting, c_char, c_short, ifreq, sockaddr};

/// Its name, and that of its second address.
const LOOPBACK: &str = "lo";
const PODS: &str = "lo:pods";

/// Starts the interface, to which the kernel then gives 127.0.0.1/8, and gives it the network of `pods`, too: all of its
/// addresses are then local, as those of 127/8 are.
pub(super) fn bring_up(pods: Ipv4Addr, mask: Ipv4Addr) -> io::Result<()> {
    // Any socket names the network to the kernel.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let up = Setting { ifru_flags: (libc::IFF_UP | libc::IFF_RUNNING) as c_short };
    set(&socket, LOOPBACK, libc::SIOCSIFFLAGS, up)?;
    set(&socket, PODS, libc::SIOCSIFADDR, Setting { ifru_addr: address(pods) })?;
    set(&socket, PODS, libc::SIOCSIFNETMASK, Setting { ifru_netmask: address(mask) })
}

fn set(socket: &UdpSocket, name: &str, what: libc::Ioctl, setting: Setting) -> io::Result<()> {
    let mut request = ifreq { ifr_name: [0; libc::IFNAMSIZ], ifr_ifru: setting };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // SAFETY: the requests above read an `ifreq` whose name ends with zero and whose setting is of their kind, and keep no
    // pointer to it.
    #[allow(unsafe_code, reason = "there is no safe function for these ioctls")]
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As the C type: two bytes of a port, which is zero here, and the address.
fn address(address: Ipv4Addr) -> sockaddr {
    let mut data = [0; 14];
    for (to, from) in data.iter_mut().skip(2).zip(address.octets()) {
        *to = from as c_char;
    }
    sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}
