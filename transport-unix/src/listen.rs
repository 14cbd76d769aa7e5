//! Where Unix conns arrive.

use std::{io, sync::Arc};

use rumormill_socket_file::{Error as FileError, SocketFile};
use rumormill_transport_api::{Addr, Counters, Error, Listener, Result};
use tokio::net::{UnixListener, UnixStream};

use crate::{
    Settings, UnixConn, UnixReader, UnixWriter,
    conn::{conn, nameless, peer, prepare},
    path,
};

/// The [`Listener`] of a [`Unix`](crate::Unix) transport.
#[derive(Debug)]
pub struct UnixPort {
    /// Dropped first: see there.
    _file: SocketFile,
    socket: UnixListener,
    addr: Addr,
    settings: Settings,
    counters: Arc<Counters>,
}

impl UnixPort {
    pub(crate) fn bind(at: &Addr, settings: Settings, counters: Arc<Counters>) -> Result<Self> {
        let backlog = i32::try_from(settings.backlog).unwrap_or(i32::MAX);
        let (file, socket) = SocketFile::create(path::parse(at)?, settings.permissions(), backlog)
            .map_err(|error| failure(at, error))?;
        let socket = UnixListener::from_std(socket)
            .map_err(|source| Error::io(format!("listening at {at}"), source))?;
        let addr = at.clone().without_options();
        Ok(Self { _file: file, socket, addr, settings, counters })
    }

    fn conn(&self, stream: UnixStream) -> io::Result<UnixConn> {
        prepare(&stream, &self.settings)?;
        let proof = peer(&stream)?;
        let remote = nameless().map_err(io::Error::other)?;
        Ok(conn(stream, self.addr.clone(), remote, proof, &self.settings))
    }
}

impl Listener for UnixPort {
    type Reader = UnixReader;
    type Writer = UnixWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<UnixConn> {
        loop {
            // Cancel-safe: tokio's accept is, and nothing is awaited after it.
            let accepted = self.socket.accept().await;
            let set_up = |(stream, _)| self.conn(stream).map_err(left_early);
            match accepted.and_then(set_up) {
                Ok(conn) => return Ok(conn),
                Err(error) if is_the_peers(&error) => self.counters.conns_vanished.add(1),
                Err(error) => return Err(Error::io(format!("accepting at {}", self.addr), error)),
            }
        }
    }
}

fn failure(addr: &Addr, error: FileError) -> Error {
    match error {
        FileError::InUse => Error::InUse { addr: addr.clone() },
        FileError::Io { doing, source } => Error::io(doing, source),
        FileError::Path { problem } => addr.malformed(problem),
    }
}

/// Whether the peer brought this about, by leaving early. Linux does not report that; others do.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::NotConnected)
}

/// Names what setting up a conn fails with on some systems (macOS) when its peer has left. From the
/// listening socket itself the same answer means that it is of no use, and must not be passed over.
fn left_early(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => io::ErrorKind::NotConnected.into(),
        _ => error,
    }
}
