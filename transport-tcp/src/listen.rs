//! Where TCP conns arrive.

use std::{io, net::SocketAddr, sync::Arc};

use rumormill_transport_api::{Addr, Counters, Error, HostPort, Listener, Result};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    FACTORY, Settings, TcpConn, TcpReader, TcpWriter,
    conn::{Connected, conn, prepare},
    dial::resolve,
};

/// The [`Listener`] of a [`Tcp`](crate::Tcp) transport.
#[derive(Debug)]
pub struct TcpPort(Port);

impl TcpPort {
    pub(crate) async fn bind(
        at: &Addr,
        settings: Settings,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        Ok(Self(Port::bind(FACTORY.scheme, at, settings, counters).await?))
    }
}

impl Listener for TcpPort {
    type Reader = TcpReader;
    type Writer = TcpWriter;

    fn addr(&self) -> &Addr {
        &self.0.addr
    }

    async fn accept(&mut self) -> Result<TcpConn> {
        // Cancel-safe: the port's accept is, and nothing is awaited after it.
        conn(self.0.accept().await?, &self.0.settings)
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Port {
    socket: TcpListener,
    pub(crate) addr: Addr,
    settings: Settings,
    counters: Arc<Counters>,
}

impl Port {
    /// Binds the first address of the host that can be bound.
    pub(crate) async fn bind(
        scheme: &str,
        at: &Addr,
        settings: Settings,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let addrs = resolve(HostPort::parse(at)?).await.map_err(|e| failure(at, e))?;
        let mut result = Err(io::ErrorKind::NotFound.into());
        for addr in addrs {
            result = bind(addr, settings);
            if result.is_ok() {
                break;
            }
        }
        let (socket, bound) = result.map_err(|e| failure(at, e))?;
        Ok(Self { socket, addr: Addr::new(scheme, &bound.to_string())?, settings, counters })
    }

    /// The next stream whose peer has not left yet. Cancel-safe.
    pub(crate) async fn accept(&mut self) -> Result<Connected> {
        loop {
            // Cancel-safe: tokio's accept is, and nothing is awaited after it.
            let accepted = self.socket.accept().await;
            let set_up = |(stream, peer)| self.set_up(stream, peer).map_err(left_early);
            match accepted.and_then(set_up) {
                Ok(connected) => return Ok(connected),
                Err(error) if is_the_peers(&error) => self.counters.conns_vanished.add(1),
                Err(error) => return Err(Error::io(format!("accepting at {}", self.addr), error)),
            }
        }
    }

    fn set_up(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Connected> {
        prepare(&stream, &self.settings)?;
        let local = stream.local_addr()?;
        Ok(Connected { stream, local, peer })
    }
}

fn bind(at: SocketAddr, settings: Settings) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = settings.socket(at)?;
    // Without it the address stays taken for a minute after conns of a listener before have ended.
    // On Windows the option would let two listeners share the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    let listener = socket.listen(settings.backlog)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn failure(at: &Addr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { addr: at.clone() },
        _ => Error::io(format!("listening at {at}"), source),
    }
}

/// Whether the peer brought this about, by leaving early. Linux passes on what the network reports
/// of a conn that waits, and wants it treated as "try again" (accept(2)).
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::NotConnected
            | Kind::TimedOut
    )
}

/// Names what setting up a conn fails with on some systems (macOS) when its peer has left. From the
/// listening socket itself the same answer means that it is of no use, and must not be passed over.
fn left_early(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => io::ErrorKind::NotConnected.into(),
        _ => error,
    }
}
