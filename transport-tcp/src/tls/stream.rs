//! The two halves of an encrypted stream.

use std::{
    fmt,
    io::{self, IoSlice, Read},
    net::Shutdown,
    ops::DerefMut,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
};

use rumormill_identity::tls::refused;
use rumormill_transport_api::{Error, FrameReader, FrameWriter, Info};
use rustls::{AlertDescription, ConnectionCommon, SideData};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

use super::{Settings, TlsConn};

/// The conn over an encrypted stream.
pub(super) fn conn(
    tls: impl Into<TlsStream<TcpStream>>,
    info: Info,
    settings: &Settings,
) -> TlsConn {
    let shared = Arc::new(Mutex::new(Shared::new(tls.into())));
    let (reader, writer) = (ReadHalf(shared.clone()), WriteHalf { shared, is_closed: false });
    TlsConn {
        info,
        reader: FrameReader::new(reader, settings.tcp.framing),
        writer: FrameWriter::new(writer, settings.tcp.framing),
    }
}

/// The half of an encrypted stream that reads.
pub struct ReadHalf(Arc<Mutex<Shared>>);

/// The half of an encrypted stream that writes.
///
/// Dropping it before its shutdown is complete ends TCP's direction without TLS's farewell, which
/// the peer reads as a cut.
pub struct WriteHalf {
    shared: Arc<Mutex<Shared>>,
    is_closed: bool,
}

/// What both halves use, each for the length of a poll.
struct Shared {
    tls: TlsStream<TcpStream>,
    /// Who waits to read, to write, and to be sure that the listener agreed: a socket knows one
    /// waker for each direction, and either half may have to read.
    reading: Option<Waker>,
    writing: Option<Waker>,
    closing: Option<Waker>,
    /// Whether the peer has sent anything, and whether we have.
    has_heard: bool,
    has_spoken: bool,
    /// Whether TLS has found something wrong while nobody was reading.
    is_broken: bool,
}

impl Shared {
    fn new(tls: TlsStream<TcpStream>) -> Self {
        Self {
            tls,
            reading: None,
            writing: None,
            closing: None,
            has_heard: false,
            has_spoken: false,
            is_broken: false,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let tls = Pin::new(&mut self.tls);
        let read = match &self.closing {
            None => tls.poll_read(cx, into),
            Some(closing) => {
                tls.poll_read(&mut Context::from_waker(&both(cx.waker(), closing)), into)
            }
        };
        match read {
            Poll::Ready(Ok(())) => self.has_heard |= before < into.filled().len(),
            // Reading answered the peer with an alert, and may have taken the writer's turn for it.
            Poll::Ready(Err(_)) => wake(&mut self.writing),
            Poll::Pending if self.is_broken => {
                return Poll::Ready(Err(self.reason(io::ErrorKind::InvalidData.into())));
            }
            Poll::Pending => remember(&mut self.reading, cx.waker()),
        }
        if self.is_agreed() {
            wake(&mut self.closing);
        }
        read.map_err(meaning)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TlsStream<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.tls), cx);
        match &written {
            Poll::Ready(_) => self.has_spoken = true,
            Poll::Pending => remember(&mut self.writing, cx.waker()),
        }
        written.map_err(|error| self.reason(error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.tls).poll_flush(cx);
        if flushed.is_pending() {
            remember(&mut self.writing, cx.waker());
        }
        flushed.map_err(|error| self.reason(error))
    }

    /// Says farewell.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = ready!(Pin::new(&mut self.tls).poll_shutdown(cx));
        Poll::Ready(said.or_else(|error| self.left(error)))
    }

    /// Waits until the listener has agreed to the conn, which the first thing shows that it sends:
    /// its ticket, a message, or the end.
    fn poll_agreed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_agreed() {
            let TlsStream::Client(tls) = &mut self.tls else { break };
            let waker = match &self.reading {
                Some(reading) => both(cx.waker(), reading),
                None => cx.waker().clone(),
            };
            let (stream, session) = tls.get_mut();
            let taken = take_in(session, &mut Polled { stream, cx: Context::from_waker(&waker) });
            if taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                remember(&mut self.closing, cx.waker());
                return Poll::Pending;
            }
            // What came is the reader's, which may wait for the socket to have more.
            wake(&mut self.reading);
            match taken {
                Ok(0) => return Poll::Ready(self.left(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => (),
                Err(error) => return Poll::Ready(self.left(error)),
            }
        }
        self.closing = None;
        Poll::Ready(Ok(()))
    }

    /// Whether the peer is known to have agreed to the conn. A listener has agreed by itself.
    fn is_agreed(&self) -> bool {
        match &self.tls {
            TlsStream::Client(tls) => {
                let (_, session) = tls.get_ref();
                // It wants none while there is plaintext or a farewell.
                self.has_heard || 0 < session.tls13_tickets_received() || !session.wants_read()
            }
            TlsStream::Server(_) => true,
        }
    }

    /// What it means for a closing writer that the peer has left: nothing, unless the peer says
    /// why, or it left before it had agreed to what we sent.
    fn left(&mut self, error: io::Error) -> io::Result<()> {
        let error = self.reason(error);
        let is_told = error.get_ref().is_some_and(|inner| inner.is::<Error>());
        match is_told || (self.has_spoken && !self.is_agreed()) {
            true => Err(error),
            false => Ok(()),
        }
    }

    /// Why this failed: the peer may have said so before it left, and what TLS found wrong before
    /// it tells again.
    fn reason(&mut self, error: io::Error) -> io::Error {
        let mut said = None;
        for _ in 0..LAST_WORDS {
            let taken = match &mut self.tls {
                TlsStream::Client(tls) => take_in_arrived(tls.get_mut()),
                TlsStream::Server(tls) => take_in_arrived(tls.get_mut()),
            };
            said = taken.as_ref().err().and_then(problem).cloned();
            if !matches!(taken, Ok(1..)) {
                break;
            }
        }
        self.is_broken |= said.is_some();
        wake(&mut self.reading);
        said.map_or_else(|| meaning(error), |problem| meaning(io::Error::other(problem)))
    }
}

impl ReadHalf {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.0)
    }
}

impl WriteHalf {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared().poll_read(cx, into)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared().poll_write(cx, |tls, cx| tls.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared().poll_write(cx, |tls, cx| tls.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            ready!(self.shared().poll_farewell(cx))?;
            self.is_closed = true;
        }
        self.shared().poll_agreed(cx)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if !self.is_closed {
            let shared = self.shared();
            let (stream, _) = shared.tls.get_ref();
            // It fails if the peer has left already.
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

/// The lock is held inside polls only; a panic there is TLS's, which remembers that it is broken.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes in what `from` has, as far as it fits; what was wrong with it before is told again.
fn take_in<S: SideData>(
    session: &mut ConnectionCommon<S>,
    from: &mut dyn Read,
) -> io::Result<usize> {
    let taken = session.read_tls(from);
    let processed = session.process_new_packets();
    processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    taken
}

fn take_in_arrived<S: SideData>(
    (stream, session): (&mut TcpStream, &mut impl DerefMut<Target = ConnectionCommon<S>>),
) -> io::Result<usize> {
    take_in(session, &mut Arrived(stream))
}

/// What has arrived at a socket. Nobody is woken when there is more.
struct Arrived<'a>(&'a TcpStream);

impl Read for Arrived<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

/// A socket, read by a task that is woken when there is more.
struct Polled<'a> {
    stream: &'a mut TcpStream,
    cx: Context<'a>,
}

impl Read for Polled<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut *self.stream).poll_read(&mut self.cx, &mut into) {
            Poll::Ready(read) => read.map(|()| into.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Wakes two tasks.
struct Both(Waker, Waker);

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
    }
}

fn both(one: &Waker, other: &Waker) -> Waker {
    Arc::new(Both(one.clone(), other.clone())).into()
}

fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(slot) => slot.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

fn wake(slot: &mut Option<Waker>) {
    if let Some(waker) = slot.take() {
        waker.wake();
    }
}

/// What TLS found wrong.
fn problem(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What an error on an open conn means in the words of the transport contract.
fn meaning(error: io::Error) -> io::Error {
    use AlertDescription as Alert;
    use rustls::Error as Tls;
    match problem(&error) {
        // Somebody on the path altered what was sent, or a machine did.
        None | Some(Tls::DecryptError | Tls::AlertReceived(Alert::BadRecordMac)) => error,
        Some(Tls::AlertReceived(alert)) => io::Error::other(refused(*alert)),
        Some(problem) => io::Error::other(Error::protocol(format!("TLS: {problem}"))),
    }
}

/// How often 4 KiB are read to find out why a peer has left.
const LAST_WORDS: usize = 16;
