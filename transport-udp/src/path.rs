//! The way to a peer, as the system knows it.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use rumormill_transport_api::Caps;

use crate::{kernel, switch::canonical};

/// The way to a peer.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// The address that the peer sees, unless it is translated on the way.
    pub(crate) local: SocketAddr,
    /// The longest message that travels as one packet.
    pub(crate) packet: usize,
}

impl Path {
    /// The way from a socket that is bound to `local`, if there is a way at all.
    ///
    /// To connect a datagram socket asks the system for the way, and sends nothing.
    pub(crate) fn find(local: SocketAddr, remote: SocketAddr) -> io::Result<Self> {
        let mut any_port = local;
        any_port.set_port(0);
        let probe = UdpSocket::bind(any_port)?;
        probe.connect(remote)?;
        let mut source = canonical(probe.local_addr()?);
        source.set_port(local.port());
        let packet = kernel::mtu(&probe).map_or(SAFE, |mtu| packet(mtu, source.ip(), remote.ip()));
        Ok(Self { local: source, packet })
    }

    /// A way of which nothing is known.
    pub(crate) fn unknown(local: SocketAddr) -> Self {
        Self { local, packet: SAFE }
    }
}

/// Whether `ip` is an address of this machine alone, so that one can send from it: what came to a
/// group or as a broadcast names none.
pub(crate) fn is_ours(ip: IpAddr) -> bool {
    let is_local_to_a_link = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !is_local_to_a_link
        && (ip.is_loopback() || kernel::interfaces().iter().any(|(address, _)| *address == ip))
}

/// What fits into one packet. The system knows the width of its own links; beyond a router it
/// believes what it heard last, which may be nothing.
fn packet(mtu: usize, source: IpAddr, remote: IpAddr) -> usize {
    let fits = mtu.saturating_sub(headers(remote));
    match fits <= SAFE || is_near(source, remote) {
        true => fits,
        false => SAFE,
    }
}

/// Whether no router is between the two.
fn is_near(source: IpAddr, remote: IpAddr) -> bool {
    let is_linked = |(address, mask): &(IpAddr, IpAddr)| {
        *address == source && masked(remote, *mask) == masked(source, *mask)
    };
    remote.is_loopback() || remote == source || kernel::interfaces().iter().any(is_linked)
}

/// The part of an address that names its network; an address of the other family has none.
fn masked(ip: IpAddr, mask: IpAddr) -> Option<u128> {
    match (ip, mask) {
        (IpAddr::V4(ip), IpAddr::V4(mask)) => Some(u128::from(ip.to_bits() & mask.to_bits())),
        (IpAddr::V6(ip), IpAddr::V6(mask)) => Some(ip.to_bits() & mask.to_bits()),
        _ => None,
    }
}

/// Bytes of the headers of IP, without options, and UDP.
fn headers(remote: IpAddr) -> usize {
    match remote {
        IpAddr::V4(_) => 20 + 8,
        IpAddr::V6(_) => 40 + 8,
    }
}

/// What passes every path of the Internet.
const SAFE: usize = Caps::DATAGRAM.packet;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_cross_a_router_is_cautious() {
        let check = |mtu: usize, source: &str, remote: &str, expected: usize| {
            let (source, remote) = (source.parse().unwrap(), remote.parse().unwrap());
            assert_eq!(packet(mtu, source, remote), expected, "{remote}");
        };
        check(65_536, "127.0.0.1", "127.0.0.2", 65_508);
        check(65_536, "::1", "::1", 65_488);
        check(65_536, "192.0.2.7", "192.0.2.7", 65_508);
        // Documentation's networks, which no interface has.
        check(1500, "192.0.2.7", "192.0.2.8", 1200);
        check(9000, "2001:db8::1", "2001:db8::2", 1200);
        check(576, "192.0.2.7", "198.51.100.1", 548);
    }

    #[test]
    fn a_network_is_where_the_mask_says() {
        let masked = |ip: &str, mask: &str| masked(ip.parse().unwrap(), mask.parse().unwrap());
        assert_eq!(masked("10.1.2.3", "255.255.0.0"), masked("10.1.9.9", "255.255.0.0"));
        assert_ne!(masked("10.1.2.3", "255.255.0.0"), masked("10.2.2.3", "255.255.0.0"));
        assert_eq!(masked("fe80::1", "ffff::"), masked("fe80::2", "ffff::"));
        assert_eq!(masked("10.1.2.3", "ffff::"), None);
    }
}
