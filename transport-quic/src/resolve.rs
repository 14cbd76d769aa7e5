//! From an address to the addresses of sockets.

use std::{collections::VecDeque, io, net::SocketAddr};

use rumormill_transport_api::{Addr, Error, HostPort, Result, here_if_anywhere, race};
use tokio::net::lookup_host;

/// Where the peer at `addr` may be, in the order to try.
pub(crate) async fn to_dial(addr: &Addr, host_port: &HostPort) -> Result<VecDeque<SocketAddr>> {
    match resolve(host_port).await {
        Ok(remotes) => Ok(remotes.into_iter().map(here_if_anywhere).collect()),
        Err(source) => Err(Error::Unreachable { addr: addr.clone(), source }),
    }
}

/// Where a listener at `addr` may be bound, best first.
pub(crate) async fn to_bind(addr: &Addr) -> Result<VecDeque<SocketAddr>> {
    let found = resolve(&HostPort::parse(addr)?).await;
    found.map_err(|source| Error::io(format!("resolving {addr}"), source))
}

async fn resolve(host_port: &HostPort) -> io::Result<VecDeque<SocketAddr>> {
    match host_port {
        HostPort::Socket(addr) => Ok(VecDeque::from([canonical(*addr)])),
        HostPort::Name { host, port } => {
            Ok(race::order(lookup_host((&**host, *port)).await?.map(canonical)))
        }
    }
}

/// An IPv4 address that is written as one of IPv6 is one of IPv4.
pub(crate) fn canonical(mut addr: SocketAddr) -> SocketAddr {
    if addr.is_ipv6() && addr.ip().to_canonical().is_ipv4() {
        addr = (addr.ip().to_canonical(), addr.port()).into();
    }
    addr
}
