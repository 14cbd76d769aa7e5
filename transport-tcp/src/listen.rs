//! Where TCP conns arrive.

use std::{io, net::SocketAddr};

use rumormill_transport_api::{
    Addr, Conn, Error, FrameReader, FrameWriter, HostPort, Listener, Result,
};
use tokio::net::{
    TcpListener,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::{
    dial::resolve,
    settings::{Settings, addr},
};

/// The [`Listener`] of a [`Tcp`](crate::Tcp) transport.
#[derive(Debug)]
pub struct TcpPort {
    socket: TcpListener,
    addr: Addr,
    settings: Settings,
}

impl TcpPort {
    /// Binds the first address of the host that can be bound.
    pub(crate) async fn bind(at: &Addr, settings: Settings) -> Result<Self> {
        let addrs = resolve(HostPort::parse(at)?).await.map_err(|e| failure(at, e))?;
        let mut result = Err(io::ErrorKind::NotFound.into());
        for addr in addrs {
            result = bind(addr, settings);
            if result.is_ok() {
                break;
            }
        }
        let (socket, bound) = result.map_err(|e| failure(at, e))?;
        Ok(Self { socket, addr: addr(bound)?, settings })
    }
}

impl Listener for TcpPort {
    type Reader = FrameReader<OwnedReadHalf>;
    type Writer = FrameWriter<OwnedWriteHalf>;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
        // Cancel-safe: tokio's accept is, and nothing is awaited after it.
        let accepted = self.socket.accept().await;
        let (stream, _) =
            accepted.map_err(|e| Error::io(format!("accepting at {}", self.addr), e))?;
        self.settings.conn(stream)
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
