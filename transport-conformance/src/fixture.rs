//! What a transport's author gives to the kit.

use std::{any::Any, fmt, future::Future, io, pin::Pin, sync::Arc};

use rumormill_transport_api::{Addr, AnyTransport, Transport};
use tokio::io::{AsyncRead, AsyncWrite};

/// A transport to test, and where it can listen.
pub struct Fixture {
    pub(crate) transport: AnyTransport,
    pub(crate) listen: Addr,
    pub(crate) raw: Option<Raw>,
    pub(crate) silent: Option<Raw>,
    pub(crate) paused: bool,
    /// Dropped last, when transport and conns are gone.
    pub(crate) keep: Vec<Box<dyn Any + Send>>,
}

/// A byte stream under a transport's messages.
pub trait RawStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> RawStream for S {}

pub(crate) type Raw = Arc<dyn Fn(Addr) -> RawDial + Send + Sync>;
type RawDial = Pin<Box<dyn Future<Output = io::Result<Box<dyn RawStream>>> + Send>>;

impl Fixture {
    /// A transport, and an address at which it can listen: with port 0, or in a directory of this
    /// fixture's own, so that tests can run side by side.
    ///
    /// # Panics
    /// If `listen` is no address.
    pub fn new(transport: impl Transport, listen: &str) -> Self {
        let listen = listen.parse().unwrap_or_else(|error| panic!("{error}"));
        let transport = AnyTransport::new(transport);
        Self { transport, listen, raw: None, silent: None, paused: false, keep: Vec::new() }
    }

    /// How to reach a listener beneath the transport's framing, but above its handshake, for
    /// carriers that are byte streams framed as [`FrameReader`](rumormill_transport_api::FrameReader)
    /// does it: `.raw(|addr| TcpStream::connect(addr.rest().to_string()))`.
    #[must_use]
    pub fn raw<F, S>(mut self, dial: impl Fn(Addr) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: RawStream + 'static,
    {
        self.raw = Some(boxed(dial));
        self
    }

    /// How to reach a listener beneath the transport's handshake, for carriers that have one above
    /// a byte stream: TCP under TLS, say. Without it, [`raw`](Self::raw) is the lowest there is.
    #[must_use]
    pub fn silent<F, S>(mut self, dial: impl Fn(Addr) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: RawStream + 'static,
    {
        self.silent = Some(boxed(dial));
        self
    }

    /// Keeps `thing` until the check is over: the directory of a socket file, say.
    #[must_use]
    pub fn keep(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }

    /// Lets time pass only when every task waits (tokio's paused clock): for carriers whose only
    /// delays are timers of tokio.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }
}

fn boxed<F, S>(dial: impl Fn(Addr) -> F + Send + Sync + 'static) -> Raw
where
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: RawStream + 'static,
{
    Arc::new(move |addr| {
        let stream = dial(addr);
        Box::pin(async move { Ok(Box::new(stream.await?) as Box<dyn RawStream>) })
    })
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("listen", &self.listen).finish_non_exhaustive()
    }
}
