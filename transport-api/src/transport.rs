//! The four traits of the contract.

use std::future::Future;

use bytes::Bytes;

use crate::{Addr, Batch, Caps, Conn, Result, Target};

/// A way to carry messages: dials, and listens.
///
/// One instance serves a whole program. Its methods may be called from many tasks at once, inside
/// a tokio runtime with I/O and time enabled. Dropping it ends nothing: listeners and conns that it
/// opened go on.
pub trait Transport: Send + Sync + 'static {
    /// The half that receives.
    type Reader: Reader;
    /// The half that sends.
    type Writer: Writer;
    /// Where conns arrive.
    type Listener: Listener<Reader = Self::Reader, Writer = Self::Writer>;

    /// What a conn of this transport can do at most, as the transport is set up.
    ///
    /// [`Info::caps`](crate::Info) holds for one conn. It never exceeds this, unless options in the
    /// address of its own dial or listener asked for more.
    fn caps(&self) -> Caps;

    /// Opens a conn.
    ///
    /// Resolves when the carrier's own handshake is done, as far as this side can know: a carrier
    /// without one (UDP) resolves at once, whoever may be there. On some carriers the listener
    /// learns of the conn only with its first message: **the dialer speaks first**.
    ///
    /// It may need somebody who calls `accept` at the other side meanwhile.
    ///
    /// Everything in `target` is honoured or refused, with the one exception of
    /// [`Target::early`]. Options in its address override the transport's, for this conn.
    ///
    /// # Errors
    /// [`Address`](crate::Error::Address) and [`Option`](crate::Error::Option) for what this
    /// transport cannot read, [`Unsupported`](crate::Error::Unsupported) for what it cannot do,
    /// [`Unreachable`](crate::Error::Unreachable) if nobody answers and the carrier notices, or the
    /// name in the address is not known,
    /// [`Busy`](crate::Error::Busy) if there is no room, [`Unproven`](crate::Error::Unproven) if
    /// somebody else answers, [`Refused`](crate::Error::Refused) if the peer does not want us,
    /// [`Protocol`](crate::Error::Protocol) if it speaks something else,
    /// [`Io`](crate::Error::Io) for the rest.
    ///
    /// # Cancel safety
    /// Dropping the future closes whatever it had opened.
    fn dial(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Conn<Self::Reader, Self::Writer>>> + Send;

    /// Binds `addr` and begins to accept.
    ///
    /// When it resolves, dials to [`Listener::addr`] arrive; on carriers with a handshake they may
    /// not resolve until somebody accepts. Options in `addr` override the
    /// transport's, for this listener and its conns.
    ///
    /// # Errors
    /// As for `dial`; [`InUse`](crate::Error::InUse) if the address is taken.
    ///
    /// # Cancel safety
    /// Dropping the future binds nothing.
    fn listen(&self, addr: &Addr) -> impl Future<Output = Result<Self::Listener>> + Send;
}

/// Where conns arrive.
///
/// Dropping it stops the accepting, releases the address (a file of its own is removed), and cuts
/// off whoever had not been accepted yet. Conns that were accepted go on. Where they share the
/// listener's socket (UDP, QUIC), the address is free when the last of them is gone too, and
/// listening there is [`InUse`](crate::Error::InUse) until then.
pub trait Listener: Send + 'static {
    /// The half that receives.
    type Reader: Reader;
    /// The half that sends.
    type Writer: Writer;

    /// The address as bound, in a form to dial where it can be dialled at all: where port 0 was
    /// asked for, the port that the system chose. It has no options, but those without which it
    /// could not be dialled.
    fn addr(&self) -> &Addr;

    /// Waits for a conn whose handshake is done.
    ///
    /// A listener shakes hands with many dialers at once, within a bound on their number and a
    /// deadline of its own for each, so one that is slow or says nothing holds up nobody. It need
    /// not yield a conn before its first message has arrived.
    ///
    /// # Errors
    /// [`Finished`](crate::Error::Finished): there will never be another conn. Any other error
    /// means that this side lacks something (a file descriptor, say). The listener is as good as
    /// before; the caller waits a moment and calls again, as [`accept_next`](crate::accept_next)
    /// does. What a peer can cause is no error: one that left, or failed its handshake, is counted
    /// ([`Counters::conns_vanished`](crate::Counters)) and passed over, or strangers could make the
    /// caller wait.
    ///
    /// # Cancel safety
    /// Dropping the future loses no conn: the next call yields it.
    fn accept(&mut self) -> impl Future<Output = Result<Conn<Self::Reader, Self::Writer>>> + Send;
}

/// The half of a conn that receives.
pub trait Reader: Send + 'static {
    /// Waits for messages and appends at least one of them to `into`, in order of arrival, and at
    /// most [`MAX_RECV`](crate::MAX_RECV).
    ///
    /// Each message is at most as long as [`Caps::max_message`] of this conn, and memory for it
    /// grows as its bytes arrive, never on the word of a header; while nothing arrives, next to
    /// nothing is held. What is appended may share one
    /// buffer with its neighbours and keep that buffer alive: copy what is stored for long.
    ///
    /// On some carriers only this answers the protocol's own questions and notices that the peer
    /// has closed: keep a call pending, and take its messages, as long as the conn is to live.
    ///
    /// # Errors
    /// Messages appended before the error are valid, and the reader is finished.
    /// [`Closed`](crate::Error::Closed): the peer closed, and everything that it had sent was
    /// received; or, where [`Caps::tells_cuts`] is false, its writer was dropped. Where
    /// [`Caps::end`] is [`End::None`](crate::End::None) this never comes by itself.
    /// [`Cut`](crate::Error::Cut): the carrier broke before that, also if the writer at this side
    /// was the first to meet it.
    /// [`Protocol`](crate::Error::Protocol), [`TooLarge`](crate::Error::TooLarge): the peer broke
    /// the rules of the wire.
    ///
    /// # Cancel safety
    /// Dropping the future loses, repeats and reorders nothing: parts of messages stay in the
    /// reader, and `into` holds whole ones.
    fn recv(&mut self, into: &mut Vec<Bytes>) -> impl Future<Output = Result<()>> + Send;
}

/// The half of a conn that sends.
///
/// Dropping a writer that was not closed cuts its direction off: what it still held is lost, and
/// where the carrier can tell ([`Caps::tells_cuts`]) the peer reads [`Cut`](crate::Error::Cut),
/// else the same end as after `close`. The reader at this side is not touched: it goes on until
/// the peer ends too. A carrier that could tell a cut only by breaking both directions, as a reset
/// of TCP does, does not tell cuts.
pub trait Writer: Send + 'static {
    /// Takes every message out of `batch`, then waits until the carrier has accepted them.
    ///
    /// Accepted is not delivered: a conn that breaks loses what is on its way. After the first
    /// poll `batch` is empty with an allocation kept (its own, or the writer's former one), and the
    /// messages are the writer's. An empty batch is legal: it resumes the work of a future that was
    /// dropped.
    ///
    /// On a stream this waits while the peer does not read. On datagrams it waits for the local
    /// carrier only.
    ///
    /// # Errors
    /// [`TooLarge`](crate::Error::TooLarge) if any message exceeds [`Caps::max_message`] of this
    /// conn: the whole batch is checked before anything is taken, so nothing was sent, `batch` is
    /// as it was, and the writer goes on. A finished or closing writer returns
    /// [`Closed`](crate::Error::Closed) before it looks at the batch. Any other error finishes the writer; of the messages that
    /// it held, an unknown number at the front were sent, and no message was sent in part and
    /// followed by another.
    ///
    /// # Cancel safety
    /// Dropping the future loses, repeats and reorders nothing, and may stop the work; the next call
    /// of `send` or `close` resumes it. Until then what was taken waits in the writer, so a caller
    /// that drops futures and goes on sending new batches grows the writer without bound: send an
    /// empty batch to the end first, or drop the writer.
    fn send(&mut self, batch: &mut Batch) -> impl Future<Output = Result<()>> + Send;

    /// Sends what is pending and tells the peer, where the carrier can, that this was all.
    ///
    /// It does not wait until the peer's program has read; a carrier that would lose what is under
    /// way when the conn is dropped waits until the peer's carrier has it. To know that everything
    /// was received, go on receiving
    /// until the peer's own end: on several carriers, dropping a reader with unread input destroys
    /// what is still on its way to the peer. Where [`Caps::end`] is
    /// [`End::Whole`](crate::End::Whole), the peer's writer ends too, with
    /// [`Closed`](crate::Error::Closed), as soon as its reader has seen the end.
    ///
    /// From the first poll on, `send` returns [`Closed`](crate::Error::Closed) and takes nothing;
    /// after it resolved, `close` does so too.
    ///
    /// # Errors
    /// As for `send`. That the peer has left is an error only if something was pending.
    ///
    /// # Cancel safety
    /// As for `send`; calling it again resumes it.
    fn close(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// The most messages that one [`Reader::recv`] appends, so that its caller can bound its memory.
pub const MAX_RECV: usize = 1024;
