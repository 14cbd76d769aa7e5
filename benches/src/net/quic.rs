//! QUIC as `quinn` gives it, with certificates like ours: a stream for each conn.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    ClientConfig, Connection, Endpoint, Incoming, RecvStream, SendStream, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rumormill_identity::tls::{Sessions, Tls};
use tokio::{
    io::{AsyncRead, AsyncWrite, Join, ReadBuf, join},
    sync::Mutex,
};

use super::{Net, resumes, tls::server_name};
use crate::{
    case::{Case, Work},
    rivals::credentials,
};

pub(crate) struct Quic {
    side: Tls,
    /// Where connections go out, opened by the first.
    endpoint: Mutex<Option<Endpoint>>,
    /// The connection that all streams share, in the case that is about that.
    shared: Option<Mutex<Option<Connection>>>,
}

impl Net for Quic {
    type Listener = Endpoint;
    type Arrival = Arrival;
    type Stream = Stream;

    fn new(case: Case) -> io::Result<Self> {
        let sessions = if resumes(case) { Sessions::Resumed } else { Sessions::Never };
        let side = Tls::new(&credentials(), b"bench", sessions).map_err(io::Error::other)?;
        let shared = (case.work == Work::Another).then(Mutex::default);
        Ok(Self { side, endpoint: Mutex::default(), shared })
    }

    async fn listen(&self, _dir: &Path) -> io::Result<(Endpoint, String)> {
        let crypto =
            QuicServerConfig::try_from(self.side.server().clone()).map_err(io::Error::other)?;
        let config = ServerConfig::with_crypto(Arc::new(crypto));
        let endpoint = Endpoint::server(config, ([127, 0, 0, 1], 0).into())?;
        let addr = endpoint.local_addr()?.to_string();
        Ok((endpoint, addr))
    }

    async fn arrival(&self, listener: &Endpoint) -> io::Result<Arrival> {
        if let Some(shared) = &self.shared
            && let Some(connection) = &*shared.lock().await
        {
            return Ok(Arrival::Known(connection.clone()));
        }
        let incoming = listener.accept().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok(Arrival::New(incoming.into()))
    }

    async fn shake_hands(&self, arrived: Arrival) -> io::Result<Stream> {
        let connection = match arrived {
            Arrival::Known(connection) => connection,
            Arrival::New(incoming) => (*incoming).await?,
        };
        if let Some(shared) = &self.shared {
            *shared.lock().await = Some(connection.clone());
        }
        let (send, recv) = connection.accept_bi().await?;
        Ok(Stream { io: join(recv, send), _connection: connection })
    }

    async fn connect(&self, to: &str) -> io::Result<Stream> {
        let connection = match &self.shared {
            Some(shared) => {
                let mut shared = shared.lock().await;
                match &*shared {
                    Some(connection) => connection.clone(),
                    None => shared.insert(self.open(to).await?).clone(),
                }
            }
            None => self.open(to).await?,
        };
        let (send, recv) = connection.open_bi().await?;
        Ok(Stream { io: join(recv, send), _connection: connection })
    }

    async fn leave(&self, listener: Option<Endpoint>) {
        let dialling = self.endpoint.lock().await.take();
        if let Some(endpoint) = listener.or(dialling) {
            endpoint.close(0u32.into(), b"");
            endpoint.wait_idle().await;
        }
    }
}

impl Quic {
    async fn open(&self, to: &str) -> io::Result<Connection> {
        let mut endpoint = self.endpoint.lock().await;
        let endpoint = match &mut *endpoint {
            Some(endpoint) => endpoint,
            none => none.insert(self.client()?),
        };
        let remote = to.parse().map_err(io::Error::other)?;
        let name = server_name(&self.side, to)?;
        Ok(endpoint.connect(remote, &name).map_err(io::Error::other)?.await?)
    }

    fn client(&self) -> io::Result<Endpoint> {
        let crypto =
            QuicClientConfig::try_from(self.side.client().clone()).map_err(io::Error::other)?;
        let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        Ok(endpoint)
    }
}

pub(crate) enum Arrival {
    New(Box<Incoming>),
    Known(Connection),
}

/// Both directions of a stream, and the connection, which ends when its last handle is dropped.
pub(crate) struct Stream {
    io: Join<RecvStream, SendStream>,
    _connection: Connection,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.io), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.io), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.io), cx)
    }
}
