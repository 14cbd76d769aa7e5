//! From an address to the addresses of sockets.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use rumormill_transport_api::{Addr, Error, HostPort, Result, here_if_anywhere};
use tokio::net::lookup_host;

use crate::switch::canonical;

/// Where the peer at `addr` may be, best first; never empty.
pub(crate) async fn to_dial(addr: &Addr) -> Result<Vec<SocketAddr>> {
    let found = resolve(HostPort::parse_to_dial(addr)?).await;
    let found = found.map_err(|source| Error::Unreachable { addr: addr.clone(), source })?;
    let mut remotes: Vec<SocketAddr> = found.into_iter().map(here_if_anywhere).collect();
    remotes.retain(|remote| !is_many(remote.ip()));
    match remotes.is_empty() {
        true => {
            Err(addr.malformed("leads to no single peer; groups and broadcasts are not dialled"))
        }
        false => Ok(remotes),
    }
}

/// Where a listener at `addr` may be bound, best first.
pub(crate) async fn to_bind(addr: &Addr) -> Result<Vec<SocketAddr>> {
    let found = resolve(HostPort::parse(addr)?).await;
    found.map_err(|source| Error::io(format!("resolving {addr}"), source))
}

async fn resolve(host_port: HostPort) -> io::Result<Vec<SocketAddr>> {
    match host_port {
        HostPort::Socket(addr) => Ok(vec![canonical(addr)]),
        HostPort::Name { host, port } => {
            Ok(lookup_host((&*host, port)).await?.map(canonical).collect())
        }
    }
}

fn is_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}
