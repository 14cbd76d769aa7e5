//! Transports chosen at run time: the same four traits, behind one box each.
//!
//! A call boxes one future, so the price (11 to 20 ns) is paid per batch, not per message.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;

use crate::{Addr, Batch, Caps, Conn, Listener, Reader, Result, Target, Transport, Writer};

/// Any [`Transport`]; clones are the same instance.
#[derive(Clone)]
pub struct AnyTransport(Arc<dyn ErasedTransport>);

/// Any [`Listener`].
pub struct AnyListener(Box<dyn ErasedListener>);

/// Any [`Reader`].
pub struct AnyReader(Box<dyn ErasedReader>);

/// Any [`Writer`].
pub struct AnyWriter(Box<dyn ErasedWriter>);

/// A conn of any transport.
pub type AnyConn = Conn<AnyReader, AnyWriter>;

impl AnyTransport {
    /// Forgets which transport this is.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }
}

impl Transport for AnyTransport {
    type Reader = AnyReader;
    type Writer = AnyWriter;
    type Listener = AnyListener;

    fn caps(&self) -> Caps {
        self.0.caps()
    }

    async fn dial(&self, target: &Target) -> Result<AnyConn> {
        self.0.dial(target).await
    }

    async fn listen(&self, addr: &Addr) -> Result<AnyListener> {
        self.0.listen(addr).await
    }
}

impl Listener for AnyListener {
    type Reader = AnyReader;
    type Writer = AnyWriter;

    fn addr(&self) -> &Addr {
        self.0.addr()
    }

    async fn accept(&mut self) -> Result<AnyConn> {
        self.0.accept().await
    }
}

impl Reader for AnyReader {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        self.0.recv(into).await
    }
}

impl Writer for AnyWriter {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.0.send(batch).await
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

impl fmt::Debug for AnyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyTransport").field("caps", &Transport::caps(self)).finish_non_exhaustive()
    }
}

impl fmt::Debug for AnyListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyListener").field("addr", Listener::addr(self)).finish_non_exhaustive()
    }
}

impl fmt::Debug for AnyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyReader").finish_non_exhaustive()
    }
}

impl fmt::Debug for AnyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyWriter").finish_non_exhaustive()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// [`Transport`] with its futures boxed.
trait ErasedTransport: Send + Sync {
    fn caps(&self) -> Caps;
    fn dial<'a>(&'a self, target: &'a Target) -> Boxed<'a, AnyConn>;
    fn listen<'a>(&'a self, addr: &'a Addr) -> Boxed<'a, AnyListener>;
}

impl<T: Transport> ErasedTransport for T {
    fn caps(&self) -> Caps {
        Transport::caps(self)
    }

    fn dial<'a>(&'a self, target: &'a Target) -> Boxed<'a, AnyConn> {
        Box::pin(async { Transport::dial(self, target).await.map(erase) })
    }

    fn listen<'a>(&'a self, addr: &'a Addr) -> Boxed<'a, AnyListener> {
        Box::pin(async { Ok(AnyListener(Box::new(Transport::listen(self, addr).await?))) })
    }
}

/// [`Listener`] with its futures boxed.
trait ErasedListener: Send {
    fn addr(&self) -> &Addr;
    fn accept(&mut self) -> Boxed<'_, AnyConn>;
}

impl<L: Listener> ErasedListener for L {
    fn addr(&self) -> &Addr {
        Listener::addr(self)
    }

    fn accept(&mut self) -> Boxed<'_, AnyConn> {
        Box::pin(async { Listener::accept(self).await.map(erase) })
    }
}

/// [`Reader`] with its futures boxed.
trait ErasedReader: Send {
    fn recv<'a>(&'a mut self, into: &'a mut Vec<Bytes>) -> Boxed<'a, ()>;
}

impl<R: Reader> ErasedReader for R {
    fn recv<'a>(&'a mut self, into: &'a mut Vec<Bytes>) -> Boxed<'a, ()> {
        Box::pin(Reader::recv(self, into))
    }
}

/// [`Writer`] with its futures boxed.
trait ErasedWriter: Send {
    fn send<'a>(&'a mut self, batch: &'a mut Batch) -> Boxed<'a, ()>;
    fn close(&mut self) -> Boxed<'_, ()>;
}

impl<W: Writer> ErasedWriter for W {
    fn send<'a>(&'a mut self, batch: &'a mut Batch) -> Boxed<'a, ()> {
        Box::pin(Writer::send(self, batch))
    }

    fn close(&mut self) -> Boxed<'_, ()> {
        Box::pin(Writer::close(self))
    }
}

fn erase(conn: Conn<impl Reader, impl Writer>) -> AnyConn {
    let Conn { info, reader, writer } = conn;
    Conn { info, reader: AnyReader(Box::new(reader)), writer: AnyWriter(Box::new(writer)) }
}
