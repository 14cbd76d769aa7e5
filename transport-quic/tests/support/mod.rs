//! What the tests of this crate share.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context as Polled, Poll},
    time::Duration,
};

use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig,
    crypto::rustls::QuicClientConfig,
};
use rumormill_identity::{
    SecretKey,
    tls::{Sessions, Tls},
};
use rumormill_transport_api::{Addr, Context, Target};
use rumormill_transport_quic::{Quic, Settings};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a transport of a new node is built from.
pub(crate) fn context() -> Context {
    let credentials = Some(Arc::new(SecretKey::generate().credentials()));
    Context { credentials, ..Context::default() }
}

/// A transport of a new node.
pub(crate) fn quic() -> Quic {
    Quic::new(Settings::default(), &context()).expect("a transport")
}

/// A stream of a connection of its own, beneath the framing.
pub(crate) struct RawStream {
    send: SendStream,
    recv: RecvStream,
    _connection: Connection,
}

/// A node that dials with quinn alone, out of one socket, since each has a buffer of megabytes.
#[derive(Clone)]
pub(crate) struct RawDialer {
    endpoint: Arc<OnceLock<Endpoint>>,
    tls: Tls,
    /// Silence after which it shows that it lives.
    pub(crate) keep_alive: Option<Duration>,
}

impl Default for RawDialer {
    fn default() -> Self {
        Self::speaking(b"rumormill/1")
    }
}

impl RawDialer {
    /// One that says that it speaks `protocol`.
    pub(crate) fn speaking(protocol: &[u8]) -> Self {
        let tls = Tls::new(&context(), protocol, Sessions::Never).expect("credentials");
        Self { endpoint: Arc::default(), tls, keep_alive: None }
    }

    pub(crate) async fn dial(self, to: Addr) -> io::Result<RawStream> {
        let connection = self.connect(to).await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(RawStream { send, recv, _connection: connection })
    }

    /// A connection without streams.
    pub(crate) async fn connect(&self, to: Addr) -> io::Result<Connection> {
        let remote = to.rest().parse().expect("a socket's address");
        let name = self.tls.server_name(&Target::new(to), "", remote).expect("a name");
        let crypto = QuicClientConfig::try_from(self.tls.client().clone()).expect("a suite");
        let (mut config, mut transport) =
            (ClientConfig::new(Arc::new(crypto)), TransportConfig::default());
        transport.keep_alive_interval(self.keep_alive);
        config.transport_config(Arc::new(transport));
        let connecting = self.endpoint().connect_with(config, remote, &name);
        Ok(connecting.map_err(io::Error::other)?.await?)
    }

    fn endpoint(&self) -> &Endpoint {
        self.endpoint.get_or_init(|| {
            Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket")
        })
    }
}

impl AsyncRead for RawStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Polled<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.recv), cx, into)
    }
}

impl AsyncWrite for RawStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Polled<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Polled<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Polled<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.send), cx)
    }
}
