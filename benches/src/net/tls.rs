//! TLS over TCP as `tokio-rustls` gives it, with certificates like ours.

use std::{io, path::Path};

use rumormill_identity::tls::{Sessions, Tls as Side};
use rumormill_transport_api::{Addr, Target};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{Net, resumes};
use crate::{case::Case, rivals::credentials};

pub(crate) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    side: Side,
}

impl Net for Tls {
    type Listener = TcpListener;
    type Arrival = TcpStream;
    type Stream = TlsStream<TcpStream>;

    fn new(case: Case) -> io::Result<Self> {
        let sessions = if resumes(case) { Sessions::Resumed } else { Sessions::Never };
        let side = Side::new(&credentials(), b"bench", sessions).map_err(io::Error::other)?;
        let (connector, acceptor) = (side.client().clone().into(), side.server().clone().into());
        Ok(Self { connector, acceptor, side })
    }

    async fn listen(&self, _dir: &Path) -> io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?.to_string();
        Ok((listener, addr))
    }

    async fn arrival(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn shake_hands(&self, arrived: TcpStream) -> io::Result<Self::Stream> {
        arrived.set_nodelay(true)?;
        Ok(self.acceptor.accept(arrived).await?.into())
    }

    async fn connect(&self, to: &str) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let name = server_name(&self.side, to)?.try_into().map_err(io::Error::other)?;
        Ok(self.connector.connect(name, stream).await?.into())
    }
}

/// The name under which the TLS library keeps what it knows of the peer at `to`.
pub(super) fn server_name(side: &Side, to: &str) -> io::Result<String> {
    let target = Target::new(Addr::new("bench", to).map_err(io::Error::other)?);
    let remote = to.parse().map_err(io::Error::other)?;
    side.server_name(&target, to, remote).map_err(io::Error::other)
}
