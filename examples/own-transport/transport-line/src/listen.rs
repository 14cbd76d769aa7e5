//! Where conns arrive.

use std::{io, sync::Arc};

use rumormill_transport_api::{Addr, Counters, Error, HostPort, Listener, Result};
use tokio::net::TcpListener;

use crate::{LineConn, LineReader, LineWriter, Settings, addr, resolve};

/// The listener of [`Line`](crate::Line).
#[derive(Debug)]
pub struct LinePort {
    socket: TcpListener,
    addr: Addr,
    settings: Settings,
    counters: Arc<Counters>,
}

impl LinePort {
    pub(crate) async fn bind(
        at: &Addr,
        settings: Settings,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let bound = match resolve(HostPort::parse(at)?).await {
            Ok(to) => TcpListener::bind(to).await,
            Err(error) => Err(error),
        };
        let socket = bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::InUse { addr: at.clone() },
            _ => Error::io(format!("listening at {at}"), source),
        })?;
        // Port 0 is resolved by now.
        let local = socket.local_addr().map_err(|e| Error::io(format!("listening at {at}"), e))?;
        Ok(Self { socket, addr: addr(local)?, settings, counters })
    }
}

impl Listener for LinePort {
    type Reader = LineReader;
    type Writer = LineWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<LineConn> {
        loop {
            // Cancel-safe: tokio's accept is, and nothing is awaited after it.
            let accepted = self.socket.accept().await;
            let (stream, remote) = accepted.map_err(|e| Error::io("accepting", e))?;
            match self.settings.conn(stream, remote) {
                Ok(conn) => return Ok(conn),
                // The peer is gone already. What a peer can cause must not make the caller wait.
                Err(_) => self.counters.conns_vanished.add(1),
            }
        }
    }
}
