//! A QUIC connection, as the halves of all its conns share it.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use rumormill_transport_api::Addr;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use crate::failure::GONE;

/// A connection that lives as long as this does: the halves of its conns share it in an `Arc`, and
/// with the last of them it goes.
pub(crate) struct Link {
    connection: Connection,
    local: Addr,
    origin: Origin,
}

/// What becomes of a connection without conns.
enum Origin {
    /// Its keeper decides, who accepts further conns on it.
    Accepted(Arc<Notify>),
    /// It is closed.
    Dialled,
}

impl Link {
    pub(crate) fn accepted(connection: Connection, local: Addr, gone: Arc<Notify>) -> Self {
        Self { connection, local, origin: Origin::Accepted(gone) }
    }

    pub(crate) fn dialled(connection: Connection, local: Addr) -> Self {
        Self { connection, local, origin: Origin::Dialled }
    }

    pub(crate) fn local(&self) -> &Addr {
        &self.local
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    /// The certificates that the peer has shown.
    pub(crate) fn shown(&self) -> Vec<CertificateDer<'static>> {
        shown(&self.connection)
    }

    /// The streams of one more conn; `None` if the peer allows no further one just now.
    ///
    /// It does not wait: a peer allows more when conns end, which may never be.
    pub(crate) fn open(&self) -> Option<Result<(SendStream, RecvStream), ConnectionError>> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.connection.open_bi()).poll(&mut context) {
            Poll::Ready(opened) => Some(opened),
            Poll::Pending => None,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match &self.origin {
            Origin::Accepted(gone) => gone.notify_one(),
            // Nothing is lost by it: a writer that was closed has waited for the peer's
            // acknowledgement, and one that was not is cut off.
            Origin::Dialled => self.connection.close(GONE, b""),
        }
    }
}

/// The certificates that the peer of `connection` has shown.
pub(crate) fn shown(connection: &Connection) -> Vec<CertificateDer<'static>> {
    let identity = connection.peer_identity().map(|identity| identity.downcast());
    identity.and_then(Result::ok).map(|shown| *shown).unwrap_or_default()
}
