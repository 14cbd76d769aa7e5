//! The halves of a virtual conn.

use std::{
    fmt,
    future::poll_fn,
    mem,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use quinn_udp::Transmit;
use rumormill_transport_api::{Addr, Batch, Conn, Error, Info, Reader, Result, Writer};
use tokio::task::coop;

use crate::{
    FACTORY, Settings,
    inbox::Inbox,
    path::Path,
    segments::{Limits, contiguous, together},
    socket::{Sent, Socket},
    switch::Row,
    table::Id,
};

/// The [`Reader`] of a [`Udp`](crate::Udp) transport.
///
/// Messages that the system hands over in one piece are copied out of the socket's buffer in one
/// piece, and share it: one that is kept keeps at most 64 messages of its length, or 64 KiB. One that
/// came alone keeps nothing else.
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
    /// Of what is pending, the messages at the front that go one by one, as the system did not take
    /// them together.
    apart: usize,
    /// Where what goes together is in one piece; the socket lends it.
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
    /// Where messages come from, if that is not left to the system.
    here: Option<IpAddr>,
    id: Id,
    inbox: Arc<Inbox>,
    path: Path,
    limits: Settings,
}

/// The two halves of a conn.
pub(crate) fn open(seat: Seat) -> Result<Conn<UdpReader, UdpWriter>> {
    let caps = seat.limits.caps_of(seat.path.packet);
    let info = Info::new(addr(seat.path.local)?, addr(seat.remote)?, caps);
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
            apart: 0,
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
        let packet = self.seat.path.packet;
        if packet < len && !self.warned {
            self.warned = true;
            let to = self.seat.remote;
            tracing::warn!(%to, len, packet, "longer than a packet: one lost piece loses it");
        }
    }

    async fn flush(&mut self) -> Result<()> {
        if self.joined.capacity() == 0 {
            self.joined = self.seat.socket.take_room();
        }
        let flushed = self.send_pending().await;
        self.seat.socket.return_room(mem::take(&mut self.joined));
        self.pending.clear();
        (self.sent, self.apart) = (0, 0);
        if flushed.is_err() {
            self.phase = Phase::Finished;
        }
        flushed
    }

    async fn send_pending(&mut self) -> Result<()> {
        while self.sent < self.pending.len() {
            if let Some(ended) = self.seat.inbox.ended() {
                return Err(ended);
            }
            let count = together(&self.pending, self.sent, self.limits());
            // Cancel-safe: what is dropped here was not sent, and `sent` does not count it.
            match self.send_next(count).await? {
                Sent::Apart => self.apart = count,
                Sent::Gone => {
                    self.sent += count;
                    self.apart = self.apart.saturating_sub(count);
                }
            }
        }
        self.seat.inbox.ended().map_or(Ok(()), Err)
    }

    async fn send_next(&mut self, count: usize) -> Result<Sent> {
        let Seat { socket, remote, here, .. } = &*self.seat;
        let len = self.pending.get(self.sent).map_or(0, |message| message.len());
        let contents = contiguous(&self.pending, self.sent, count, &mut self.joined);
        let segment_size = (1 < count).then_some(len);
        let (destination, src_ip) = (*remote, *here);
        socket.send(&Transmit { destination, ecn: None, contents, segment_size, src_ip }).await
    }

    /// What may go together next.
    fn limits(&self) -> Limits {
        let count = match self.apart {
            0 => self.seat.socket.segments(),
            _ => 1,
        };
        Limits { count, packet: self.seat.path.packet }
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
    pub(crate) fn new(socket: Arc<Socket>, row: Row, path: Path, limits: Settings) -> Self {
        let Row { remote, id, inbox, here } = row;
        Self { socket, remote, here, id, inbox, path, limits }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;
    use crate::switch::Door;

    #[tokio::test]
    async fn the_first_message_beyond_a_packet_is_warned_about() {
        let warnings = Warnings::default();
        let _guard = tracing::subscriber::set_default(warnings.clone());
        let (at, settings) = (SocketAddr::from(([127, 0, 0, 1], 0)), Settings::default());
        let socket = Socket::open(at, settings, Arc::default(), Door::Shut).unwrap();
        let path = Path { local: socket.local(), packet: 1200 };
        let mut conn = open(socket.dial(socket.local(), path, settings).unwrap()).unwrap();
        assert_eq!(conn.info.caps.packet, 1200);
        for (len, expected) in [(1200, 0), (1201, 1), (1202, 1)] {
            conn.writer.send(&mut [vec![0; len]].into_iter().collect()).await.unwrap();
            assert_eq!(warnings.0.load(Relaxed), expected, "{len}");
        }
    }

    /// Counts them.
    #[derive(Clone, Default)]
    struct Warnings(Arc<AtomicUsize>);

    impl Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Relaxed);
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }
}
