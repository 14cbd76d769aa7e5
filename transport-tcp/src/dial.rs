//! From an address to a connected stream.

use std::{collections::VecDeque, io, net::SocketAddr};

use rumormill_transport_api::{Addr, Error, HostPort, Result, race};
use tokio::net::lookup_host;

use crate::{
    Settings,
    conn::{Connected, prepare},
};

/// Connects to the host in `to`, at whichever of its addresses answers first.
pub(crate) async fn dial(to: &Addr, settings: Settings) -> Result<Connected> {
    let host_port = HostPort::parse_to_dial(to)?;
    let connected = match resolve(host_port).await {
        Ok(addrs) => race::race(addrs, move |addr| connect(addr, settings)).await,
        Err(error) => Err(error),
    };
    connected.map_err(|source| failure(to, source))
}

/// The addresses of a host, in the order to try them.
pub(crate) async fn resolve(host_port: HostPort) -> io::Result<VecDeque<SocketAddr>> {
    match host_port {
        HostPort::Socket(addr) => Ok(VecDeque::from([addr])),
        HostPort::Name { host, port } => Ok(race::order(lookup_host((&*host, port)).await?)),
    }
}

async fn connect(to: SocketAddr, settings: Settings) -> io::Result<Connected> {
    let stream = settings.socket(to)?.connect(to).await?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    // The kernel may choose the very port that is dialled, and TCP then connects it to itself.
    if local == peer {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    prepare(&stream, &settings)?;
    Ok(Connected { stream, local, peer })
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
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
