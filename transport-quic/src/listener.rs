//! Where QUIC conns arrive.

use std::{
    fmt,
    future::Future,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use rumormill_transport_api::{Addr, Error, Listener, Result};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    Inner, QuicConn, QuicReader, QuicWriter, Settings, config,
    reception::Reception,
    resolve,
    socket::{Socket, addr},
};

/// The [`Listener`] of a [`Quic`](crate::Quic) transport.
pub struct QuicListener {
    socket: Arc<Socket>,
    addr: Addr,
    inbox: mpsc::Receiver<QuicConn>,
    reception: AbortHandle,
}

impl QuicListener {
    /// Binds the first address of the host that can be bound.
    pub(crate) async fn bind(
        at: &Addr,
        settings: Settings,
        Inner { tls, resets, counters, .. }: &Inner,
    ) -> Result<Self> {
        let mut result = Err(io::ErrorKind::NotFound.into());
        for local in resolve::to_bind(at).await? {
            let server = config::server(tls, &settings)?;
            result = Socket::open(local, &settings, resets, Some(server));
            if result.is_ok() {
                break;
            }
        }
        let socket = Arc::new(result.map_err(|source| failure(at, source))?);
        let (place, inbox) = mpsc::channel(settings.backlog);
        let reception = Reception::new(
            socket.endpoint().clone(),
            socket.local(),
            settings,
            tls.clone(),
            counters.clone(),
            place,
        );
        let addr = addr(socket.local())?;
        let reception = tokio::spawn(reception.run()).abort_handle();
        Ok(Self { socket, addr, inbox, reception })
    }

    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

impl Listener for QuicListener {
    type Reader = QuicReader;
    type Writer = QuicWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<QuicConn> {
        // Cancel-safe: a conn leaves the queue in the poll that returns it.
        self.inbox.recv().await.ok_or(Error::Finished)
    }
}

impl Drop for QuicListener {
    fn drop(&mut self) {
        self.reception.abort();
        self.socket.endpoint().set_server_config(None);
        // Who was not even looked at would stay as long as the socket does.
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(incoming)) =
            pin!(self.socket.endpoint().accept()).poll(&mut context)
        {
            incoming.refuse();
        }
    }
}

impl fmt::Debug for QuicListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicListener").field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn failure(at: &Addr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { addr: at.clone() },
        _ => Error::io(format!("listening at {at}"), source),
    }
}
