//! From a connected stream to a conn.

use std::{io, net::SocketAddr};

use rumormill_transport_api::{Addr, FrameReader, FrameWriter, Info, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::{FACTORY, Settings, TcpConn};

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

/// The conn over `stream`, between these ends.
pub(crate) fn conn(stream: TcpStream, local: Addr, remote: Addr, settings: &Settings) -> TcpConn {
    let (reader, writer) = stream.into_split();
    TcpConn {
        info: Info::new(local, remote, settings.caps()),
        reader: FrameReader::new(reader, settings.framing),
        writer: FrameWriter::new(writer, settings.framing),
    }
}

/// The address of one end.
pub(crate) fn addr(end: SocketAddr) -> Result<Addr> {
    Addr::new(FACTORY.scheme, &end.to_string())
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
