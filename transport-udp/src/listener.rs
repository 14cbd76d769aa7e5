//! Where UDP conns arrive.

use std::{fmt, future::poll_fn, io, sync::Arc};

use rumormill_transport_api::{Addr, Conn, Counters, Error, Listener, Result};
use tokio::task::coop;

use crate::{
    Settings,
    conn::{self, UdpReader, UdpWriter},
    resolve,
    socket::Socket,
    switch::Door,
};

/// The [`Listener`] of a [`Udp`](crate::Udp) transport.
pub struct UdpListener {
    socket: Arc<Socket>,
    addr: Addr,
    settings: Settings,
}

impl UdpListener {
    /// Binds the first address of the host that can be bound.
    pub(crate) async fn bind(
        at: &Addr,
        settings: Settings,
        counters: &Arc<Counters>,
    ) -> Result<Self> {
        let mut result = Err(io::ErrorKind::NotFound.into());
        for local in resolve::to_bind(at).await? {
            result = Socket::open(local, settings, counters.clone(), Door::Open(None));
            if result.is_ok() {
                break;
            }
        }
        let socket = result.map_err(|source| failure(at, source))?;
        Ok(Self { addr: conn::addr(socket.local())?, socket, settings })
    }

    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

impl Listener for UdpListener {
    type Reader = UdpReader;
    type Writer = UdpWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<Conn<UdpReader, UdpWriter>> {
        // Cancel-safe: a newcomer leaves the table in the poll that returns it.
        let accept = poll_fn(|cx| self.socket.poll_accept(cx, self.settings));
        conn::open(coop::cooperative(accept).await?)
    }
}

impl Drop for UdpListener {
    fn drop(&mut self) {
        self.socket.switch().shut();
    }
}

impl fmt::Debug for UdpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpListener").field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn failure(at: &Addr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { addr: at.clone() },
        _ => Error::io(format!("listening at {at}"), source),
    }
}
