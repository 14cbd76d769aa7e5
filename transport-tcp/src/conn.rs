//! From a connected stream to a conn.

use std::{io, net::SocketAddr};

use rumormill_transport_api::{Addr, Caps, FrameReader, FrameWriter, Info, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::{FACTORY, Settings, TcpConn};

/// A connected stream, set up, and its two ends.
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

impl Connected {
    /// What is known of it as a conn of the transport `scheme`.
    pub(crate) fn info(&self, scheme: &str, caps: Caps) -> Result<Info> {
        let end = |end: SocketAddr| Addr::new(scheme, &end.to_string());
        Ok(Info::new(end(self.local)?, end(self.peer)?, caps))
    }
}

/// Sets up `stream`. It fails if the peer is gone already, on some systems.
pub(crate) fn prepare(stream: &TcpStream, settings: &Settings) -> io::Result<()> {
    if settings.nodelay {
        stream.set_nodelay(true)?;
    }
    if let Some(silence) = settings.keepalive {
        let keepalive = TcpKeepalive::new().with_time(silence).with_interval(silence);
        SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

/// The conn over a connected stream.
pub(crate) fn conn(connected: Connected, settings: &Settings) -> Result<TcpConn> {
    let info = connected.info(FACTORY.scheme, settings.caps())?;
    let (reader, writer) = connected.stream.into_split();
    Ok(TcpConn {
        info,
        reader: FrameReader::new(reader, settings.framing),
        writer: FrameWriter::new(writer, settings.framing),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_set_reaches_the_socket() {
        let options = [("keepalive", "42s"), ("recv_buffer", "96KiB")].into_iter().collect();
        let settings = Settings::default().with(&options).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let stream = settings.socket(to).unwrap().connect(to).await.unwrap();
        prepare(&stream, &settings).unwrap();
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(42));
        assert!((96 << 10) <= socket.recv_buffer_size().unwrap());
    }
}
