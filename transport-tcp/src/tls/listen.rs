//! Where TLS conns arrive.

use std::sync::Arc;

use rumormill_transport_api::{Addr, Counters, Error, Handshakes, Info, Listener, Result};
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, server::StartHandshake};

use super::{
    FACTORY, PROTOCOL, Settings, TlsConn, TlsReader, TlsWriter, sessions::Side, stream::conn,
};
use crate::{conn::Connected, listen::Port};

/// The [`Listener`] of a [`Tls`](super::Tls) transport.
#[derive(Debug)]
pub struct TlsPort {
    port: Port,
    handshakes: Handshakes<TlsConn>,
    side: Arc<Side>,
    settings: Settings,
}

impl TlsPort {
    pub(super) async fn bind(
        at: &Addr,
        side: Arc<Side>,
        settings: Settings,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let port = Port::bind(FACTORY.scheme, at, settings.tcp, counters.clone()).await?;
        let handshakes = Handshakes::new(settings.handshakes.get(), settings.handshake, counters);
        Ok(Self { port, handshakes, side, settings })
    }

    fn start(&mut self, connected: Connected) -> Result<()> {
        let info = connected.info(FACTORY.scheme, self.settings.caps())?;
        let (side, settings) = (self.side.clone(), self.settings);
        self.handshakes.start(connected.peer.ip(), async move {
            let hello = hello(connected.stream).await?;
            Ok(shake_hands(hello, side, info, settings))
        });
        Ok(())
    }
}

impl Listener for TlsPort {
    type Reader = TlsReader;
    type Writer = TlsWriter;

    fn addr(&self) -> &Addr {
        &self.port.addr
    }

    async fn accept(&mut self) -> Result<TlsConn> {
        loop {
            // Cancel-safe: both are, and nothing is awaited after them.
            tokio::select! {
                biased;
                conn = self.handshakes.step() => if let Some(conn) = conn {
                    return Ok(conn);
                },
                accepted = self.port.accept(), if self.handshakes.has_room() => {
                    self.start(accepted?)?;
                }
            }
        }
    }
}

/// Waits for all of a dialer's first message: half of one costs nothing but a little memory.
async fn hello(stream: TcpStream) -> Result<StartHandshake<TcpStream>> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
    let hello = hello.map_err(|e| Error::io("reading a dialer's hello", e))?;
    // A dialer that names protocols, and not ours, is told so later, by TLS.
    let is_named = hello.client_hello().alpn().is_some();
    is_named.then_some(hello).ok_or_else(no_protocol)
}

async fn shake_hands(
    hello: StartHandshake<TcpStream>,
    side: Arc<Side>,
    mut info: Info,
    settings: Settings,
) -> Result<TlsConn> {
    let shaken = hello.into_stream(side.server.clone()).await;
    let tls = shaken.map_err(|e| Error::io("shaking hands with a dialer", e))?;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() != Some(PROTOCOL) {
        return Err(no_protocol());
    }
    let shown = session.peer_certificates().unwrap_or_default();
    info.proof = Some(side.tls.proof_of_dialer(shown)?);
    Ok(conn(tls, info, &settings))
}

fn no_protocol() -> Error {
    Error::protocol("a dialer says that it speaks rumormill (ALPN)")
}
