//! A peer made by hand, from the TLS library alone.

use std::{net::SocketAddr, sync::Arc};

use rumormill_identity::tls::{Sessions, Tls};
use rumormill_transport_api::{Addr, Context, Credentials, Target};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::node::soon;

pub(crate) const PROTOCOL: &[u8] = b"rumormill/1";

/// One side of handshakes, to be bent by tests.
pub(crate) struct Stranger {
    pub(crate) identity: Tls,
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
}

impl Stranger {
    pub(crate) fn of(credentials: &Arc<Credentials>) -> Self {
        let context = Context { credentials: Some(credentials.clone()), ..Context::default() };
        let identity = Tls::new(&context, PROTOCOL, Sessions::Resumed).expect("a side of TLS");
        let (client, server) =
            (identity.client().as_ref().clone(), identity.server().as_ref().clone());
        Self { identity, client, server }
    }

    /// Dials `to` and shakes hands.
    pub(crate) async fn connect(&self, to: &Addr) -> std::io::Result<client::TlsStream<TcpStream>> {
        let socket: SocketAddr = to.rest().parse().expect("an address of a socket");
        let name = self.identity.server_name(&Target::new(to.clone()), "localhost", socket);
        let name = ServerName::try_from(name.expect("a name")).expect("a name");
        let connector = TlsConnector::from(Arc::new(self.client.clone()));
        connector.connect(name, tcp(to).await).await
    }

    /// The first thing that a dialer says.
    pub(crate) fn hello(&self) -> Vec<u8> {
        let name = "localhost".try_into().expect("a name");
        let session = rustls::ClientConnection::new(Arc::new(self.client.clone()), name);
        let mut hello = Vec::new();
        session.expect("a session").write_tls(&mut hello).expect("a hello");
        hello
    }

    /// Accepts one conn, and shakes hands.
    pub(crate) async fn accept(
        &self,
        at: &TcpListener,
    ) -> std::io::Result<server::TlsStream<TcpStream>> {
        let (stream, _) = at.accept().await.expect("a conn");
        TlsAcceptor::from(Arc::new(self.server.clone())).accept(stream).await
    }
}

/// A conn beneath TLS.
pub(crate) async fn tcp(to: &Addr) -> TcpStream {
    soon("connecting", TcpStream::connect(to.rest().to_string())).await.expect("connecting")
}

/// A listener beneath TLS, and how to dial it.
pub(crate) async fn listen() -> (TcpListener, Addr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listening");
    let addr = format!("tls://{}", listener.local_addr().expect("an address"));
    (listener, addr.parse().expect("an address"))
}

/// Writes `bytes`, ends the writing, and returns what came back until the end; how it ended is
/// lost.
pub(crate) async fn say(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    // The peer may have hung up already.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    rest(stream).await
}

/// What comes until the end.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = soon("reading to the end", stream.read_to_end(&mut answer)).await;
    answer
}
