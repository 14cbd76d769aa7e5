//! The halves of a virtual conn.

use std::{fmt, future::poll_fn, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use rumormill_transport_api::{Addr, Batch, Conn, Error, Info, Message, Reader, Result, Writer};
use tokio::task::coop;

use crate::{FACTORY, Settings, inbox::Inbox, socket::Socket, switch::Row, table::Id};

/// The [`Reader`] of a [`Udp`](crate::Udp) transport.
///
/// Each message is copied out of the socket's buffer into memory of exactly its length, so a small
/// one that is kept keeps nothing else.
#[derive(Debug)]
pub struct UdpReader {
    seat: Arc<Seat>,
    finished: bool,
}

/// The [`Writer`] of a [`Udp`](crate::Udp) transport.
///
/// `close` tells the peer nothing, as there is nothing that could; the reader goes on.
pub struct UdpWriter {
    seat: Arc<Seat>,
    /// What `send` has taken, of which the first `sent` messages are gone.
    pending: Batch,
    sent: usize,
    /// Where messages of several parts become one datagram.
    joined: Vec<u8>,
    phase: Phase,
    warned: bool,
}

/// How far a writer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// `close` has begun, and has not got to its end.
    Closing,
    Finished,
}

/// A conn's place in the table of its socket: both halves hold it, and the last one gives it up.
pub(crate) struct Seat {
    socket: Arc<Socket>,
    remote: SocketAddr,
    id: Id,
    inbox: Arc<Inbox>,
    limits: Settings,
}

/// The two halves of a conn, which the peer sees at `local`.
pub(crate) fn open(seat: Seat, local: SocketAddr) -> Result<Conn<UdpReader, UdpWriter>> {
    let info = Info::new(addr(local)?, addr(seat.remote)?, seat.limits.caps());
    let seat = Arc::new(seat);
    let reader = UdpReader { seat: seat.clone(), finished: false };
    Ok(Conn { info, reader, writer: UdpWriter::new(seat) })
}

/// The address of one end.
pub(crate) fn addr(end: SocketAddr) -> Result<Addr> {
    Addr::new(FACTORY.scheme, &end.to_string())
}

impl Reader for UdpReader {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        if self.finished {
            return Err(Error::Closed);
        }
        // Cancel-safe: messages leave the inbox in the poll that returns them.
        let take = poll_fn(|cx| self.seat.inbox.poll_take(cx, into));
        let taken = coop::cooperative(take).await;
        self.finished = taken.is_err();
        taken
    }
}

impl Drop for UdpReader {
    fn drop(&mut self) {
        self.seat.inbox.deafen();
    }
}

impl UdpWriter {
    fn new(seat: Arc<Seat>) -> Self {
        Self {
            seat,
            pending: Batch::default(),
            sent: 0,
            joined: Vec::new(),
            phase: Phase::Open,
            warned: false,
        }
    }

    fn take(&mut self, batch: &mut Batch) -> Result<()> {
        let (len, max) = (batch.largest(), self.seat.limits.max_message);
        match self.phase {
            Phase::Closing | Phase::Finished => Err(Error::Closed),
            Phase::Open if max < len => Err(Error::TooLarge { len, max }),
            Phase::Open => {
                self.warn_once(len);
                self.pending.append(batch);
                Ok(())
            }
        }
    }

    fn warn_once(&mut self, len: usize) {
        let packet = self.seat.limits.caps().packet;
        if packet < len && !self.warned {
            self.warned = true;
            let to = self.seat.remote;
            tracing::warn!(%to, len, packet, "longer than a packet: one lost piece loses it");
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let flushed = self.send_pending().await;
        self.pending.clear();
        self.sent = 0;
        self.joined.clear();
        self.joined.shrink_to(KEPT);
        if flushed.is_err() {
            self.phase = Phase::Finished;
        }
        flushed
    }

    async fn send_pending(&mut self) -> Result<()> {
        let Seat { socket, remote, inbox, .. } = &*self.seat;
        while !inbox.is_cut() {
            let Some(message) = self.pending.get(self.sent) else { return Ok(()) };
            let datagram = whole(message, &mut self.joined);
            // Cancel-safe: what is dropped here was not sent, and `sent` does not count it.
            let sent = socket.send(datagram, *remote).await;
            self.sent += 1;
            sent?;
        }
        Err(Error::Cut { source: None })
    }
}

impl Writer for UdpWriter {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.take(batch)?;
        self.flush().await
    }

    async fn close(&mut self) -> Result<()> {
        if self.phase == Phase::Finished {
            return Err(Error::Closed);
        }
        self.phase = Phase::Closing;
        self.flush().await?;
        self.phase = Phase::Finished;
        Ok(())
    }
}

impl fmt::Debug for UdpWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.pending.len() - self.sent;
        let mut shown = f.debug_struct("UdpWriter");
        shown.field("seat", &self.seat).field("pending", &pending).finish_non_exhaustive()
    }
}

impl Seat {
    pub(crate) fn new(socket: Arc<Socket>, row: Row, limits: Settings) -> Self {
        let Row { remote, id, inbox } = row;
        Self { socket, remote, id, inbox, limits }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.socket.switch().leave(self.remote, self.id);
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.socket.local(), self.remote)
    }
}

fn whole<'a>(message: Message<'a>, joined: &'a mut Vec<u8>) -> &'a [u8] {
    if let [whole] = message.parts() {
        return whole;
    }
    joined.clear();
    message.parts().iter().for_each(|part| joined.extend_from_slice(part));
    joined
}

/// Bytes that an idle writer keeps for messages of several parts: enough for one packet.
const KEPT: usize = 2 << 10;
