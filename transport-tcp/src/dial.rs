//! From an address to a connected stream.

use std::{collections::VecDeque, io, net::SocketAddr};

use rumormill_transport_api::{Addr, Error, HostPort, Result};
use tokio::net::{TcpStream, lookup_host};

use crate::{race, settings::Settings};

pub(crate) async fn dial(addr: &Addr, settings: Settings) -> Result<TcpStream> {
    let to = HostPort::parse_to_dial(addr)?;
    let connected = match resolve(to).await {
        Ok(addrs) => race::race(addrs, move |to| connect(to, settings)).await,
        Err(error) => Err(error),
    };
    connected.map_err(|source| failure(addr, source))
}

/// The addresses of a host, in the order to try them.
pub(crate) async fn resolve(host_port: HostPort) -> io::Result<VecDeque<SocketAddr>> {
    match host_port {
        HostPort::Socket(addr) => Ok(VecDeque::from([addr])),
        HostPort::Name { host, port } => Ok(race::order(lookup_host((&*host, port)).await?)),
    }
}

async fn connect(to: SocketAddr, settings: Settings) -> io::Result<TcpStream> {
    let stream = settings.socket(to)?.connect(to).await?;
    // The kernel may choose the very port that is dialled, and TCP then connects it to itself.
    match stream.local_addr()? == stream.peer_addr()? {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => Ok(stream),
    }
}

fn failure(addr: &Addr, source: io::Error) -> Error {
    use io::ErrorKind as Kind;
    match source.kind() {
        Kind::InvalidInput | Kind::OutOfMemory | Kind::PermissionDenied | Kind::Unsupported => {
            Error::io(format!("dialling {addr}"), source)
        }
        _ if is_out_of_descriptors(&source) => Error::io(format!("dialling {addr}"), source),
        _ => Error::Unreachable { addr: addr.clone(), source },
    }
}

/// Whether the process (EMFILE) or the system (ENFILE) has no descriptor left; std has no name
/// for either.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
