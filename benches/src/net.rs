//! Stream sockets of tokio, of either family, for the rivals that use them bare.

use std::{fs::File, io, os::fd::OwnedFd, path::Path};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// A family of stream sockets.
pub(crate) trait Net {
    type Listener;
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Listens, in `dir` where a file is needed; tells where.
    async fn listen(dir: &Path) -> io::Result<(Self::Listener, String)>;
    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;
    async fn connect(to: &str) -> io::Result<Self::Stream>;
    /// The same socket with calls that block.
    fn blocking(stream: Self::Stream) -> io::Result<File>;
}

pub(crate) struct Tcp;

impl Net for Tcp {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen(_dir: &Path) -> io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?.to_string();
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(to: &str) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    fn blocking(stream: TcpStream) -> io::Result<File> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(OwnedFd::from(stream).into())
    }
}

pub(crate) struct Unix;

impl Net for Unix {
    type Listener = UnixListener;
    type Stream = UnixStream;

    async fn listen(dir: &Path) -> io::Result<(UnixListener, String)> {
        let path = dir.join(format!("{}.bare", std::process::id()));
        Ok((UnixListener::bind(&path)?, path.display().to_string()))
    }

    async fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(to: &str) -> io::Result<UnixStream> {
        UnixStream::connect(to).await
    }

    fn blocking(stream: UnixStream) -> io::Result<File> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(OwnedFd::from(stream).into())
    }
}
